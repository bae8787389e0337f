"""The `context` that handler functions may take, with the members of the multi-model server's that handlers use."""


class _RequestProcessor:
    def __init__(self, headers):
        self._headers = headers

    def get_request_properties(self):
        return self._headers

    def get_request_property(self, key):
        return self._headers.get(key.lower())


class Context:
    def __init__(self, model_dir: str):
        self.model_name = "model"
        self.manifest = {}
        self.system_properties = {
            "model_dir": model_dir,
            "gpu_id": None,
            "batch_size": 1,
            "server_name": "Berth",
        }
        self.begin("", {})

    def begin(self, request_id: str, headers) -> None:
        self.request_id = request_id
        self.request_processor = [_RequestProcessor(headers)]
        self.status = 200
        self.response_headers = {}
        self._headers = headers

    def get_request_id(self, idx=0):
        return self.request_id

    def get_request_header(self, idx, key):
        return self._headers.get(key.lower())

    def get_all_request_header(self, idx):
        return self._headers

    def set_response_content_type(self, idx, value):
        self.response_headers["content-type"] = value

    def get_response_content_type(self, idx):
        return self.response_headers.get("content-type")

    def set_response_header(self, idx, key, value):
        self.response_headers[key.lower()] = value

    def set_response_status(self, code=200, phrase="", idx=0):
        self.status = code
