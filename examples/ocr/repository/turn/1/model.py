import triton_python_backend_utils as pb_utils

# So sure the model must be before a line is turned.
TURNED_MIN = 0.9


class TritonPythonModel:
    """Turns the strips that the orientation model finds to be upside down."""

    def execute(self, requests):
        return [self.turn(request) for request in requests]

    def turn(self, request):
        names = ("STRIPS", "WIDTHS", "ORIENTATIONS")
        strips, widths, orientations = (pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in names)
        upright = strips.copy()
        for index in (orientations[:, 1] > TURNED_MIN).nonzero()[0]:
            own = strips[index, :, :, : widths[index]]
            upright[index, :, :, : widths[index]] = own[:, ::-1, ::-1]
        return pb_utils.InferenceResponse([pb_utils.Tensor("UPRIGHT", upright)])
