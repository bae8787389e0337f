import cv2
import numpy as np
import triton_python_backend_utils as pb_utils

# Of the differentiable binarisation with which the detector was trained.
TEXT_MIN = 0.3
BOX_MIN = 0.5
GROWTH = 1.6
SIDE_MIN = 3
LINES_MAX = 200

HEIGHT = 48
WIDTH_MIN = 320
HEAD_WIDTH = 192
# A strip so much higher than wide is a line that runs downwards.
UPRIGHT_RATIO = 1.5


class TritonPythonModel:
    """Cuts the lines of text out of a picture."""

    def execute(self, requests):
        return [self.crop(request) for request in requests]

    def crop(self, request):
        picture = pb_utils.get_input_tensor_by_name(request, "PICTURE").as_numpy()
        text_map = pb_utils.get_input_tensor_by_name(request, "TEXT_MAP").as_numpy()[0, 0]
        boxes = find_boxes(text_map, picture.shape)
        strips = [strip_of(picture, box) for box in boxes]
        width = max([WIDTH_MIN] + [scaled_width(strip) for strip in strips])
        if not strips:
            # The recogniser takes at least one line: of a blank one it reads nothing.
            boxes, strips = np.zeros((1, 4, 2), np.float32), [np.full((HEIGHT, HEIGHT, 3), 255, np.uint8)]
        outputs = {
            "BOXES": np.asarray(boxes, np.float32),
            "STRIPS": np.stack([fitted(strip, width) for strip in strips]),
            "WIDTHS": np.array([min(width, scaled_width(strip)) for strip in strips], np.int32),
            "HEADS": np.stack([fitted(strip, HEAD_WIDTH) for strip in strips]),
        }
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outputs.items()])


def find_boxes(text_map, picture_shape):
    """Corners of each line in the picture, clockwise from the upper left; lines from top to bottom."""
    mask = cv2.dilate((text_map > TEXT_MIN).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[-2]
    scale = np.array([picture_shape[1] / text_map.shape[1], picture_shape[0] / text_map.shape[0]])
    boxes = []
    for contour in contours[:LINES_MAX]:
        centre, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < SIDE_MIN or score_of(text_map, contour) < BOX_MIN:
            continue
        # The detector marks the heart of a line: its rectangle grows by the same on every side.
        growth = 2 * GROWTH * width * height / (2 * (width + height))
        corners = cv2.boxPoints((centre, (width + growth, height + growth), angle))
        boxes.append((clockwise(corners) * scale).astype(np.float32))
    return sorted(boxes, key=lambda box: (box[:, 1].min(), box[:, 0].min()))


def score_of(text_map, contour):
    mask = np.zeros(text_map.shape, np.uint8)
    cv2.drawContours(mask, [contour], -1, 1, cv2.FILLED)
    return cv2.mean(text_map, mask)[0]


def clockwise(corners):
    """From the upper left, of which the sum of both coordinates is the smallest."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = by_x[:2], by_x[2:]
    upper_left, lower_left = left[np.argsort(left[:, 1], kind="stable")]
    upper_right, lower_right = right[np.argsort(right[:, 1], kind="stable")]
    return np.array([upper_left, upper_right, lower_right, lower_left])


def strip_of(picture, box):
    width = max(1, int(max(np.linalg.norm(box[0] - box[1]), np.linalg.norm(box[2] - box[3]))))
    height = max(1, int(max(np.linalg.norm(box[0] - box[3]), np.linalg.norm(box[1] - box[2]))))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    to_strip = cv2.getPerspectiveTransform(box, corners)
    options = {"borderMode": cv2.BORDER_REPLICATE, "flags": cv2.INTER_CUBIC}
    strip = cv2.warpPerspective(picture, to_strip, (width, height), **options)
    return np.rot90(strip) if height >= UPRIGHT_RATIO * width else strip


def scaled_width(strip):
    return int(np.ceil(HEIGHT * strip.shape[1] / strip.shape[0]))


def fitted(strip, width):
    """The strip as the models take it: 48 high, from -1 to 1, with zeros on its right."""
    own = min(width, scaled_width(strip))
    resized = cv2.resize(np.ascontiguousarray(strip), (own, HEIGHT)).astype(np.float32)
    padded = np.zeros((3, HEIGHT, width), np.float32)
    padded[:, :, :own] = (resized.transpose(2, 0, 1) / 255 - 0.5) / 0.5
    return padded
