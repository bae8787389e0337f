import cv2
import numpy as np
import triton_python_backend_utils as pb_utils

# As the detector was trained: the shorter side at least so long, both sides multiples of 32.
SIDE_MIN = 736
SIDE_STEP = 32
# A larger picture would only take longer.
SIDE_MAX = 2000


class TritonPythonModel:
    """Decodes a picture and scales it for the detector."""

    def execute(self, requests):
        return [self.read(request) for request in requests]

    def read(self, request):
        encoded = pb_utils.get_input_tensor_by_name(request, "IMAGE").as_numpy()
        picture = cv2.imdecode(np.ascontiguousarray(encoded), cv2.IMREAD_COLOR) if encoded.size else None
        if picture is None:
            message = "IMAGE is not a picture that OpenCV reads (%d bytes)." % encoded.size
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, pb_utils.TritonError.INVALID_ARG))
        scaled = cv2.resize(picture, sides(*picture.shape[:2])).astype(np.float32)
        page = ((scaled / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None]
        outputs = [pb_utils.Tensor("PICTURE", picture), pb_utils.Tensor("PAGE", np.ascontiguousarray(page))]
        return pb_utils.InferenceResponse(outputs)


def sides(height, width):
    scale = max(1.0, SIDE_MIN / min(height, width))
    scale = min(scale, SIDE_MAX / max(height, width))
    return tuple(max(SIDE_STEP, round(side * scale / SIDE_STEP) * SIDE_STEP) for side in (width, height))
