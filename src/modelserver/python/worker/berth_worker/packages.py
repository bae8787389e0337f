"""Which package brings a module: what to write into requirements.txt when it is missing."""

PACKAGES = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "google.protobuf": "protobuf",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}


def package_of(module: str) -> str:
    return PACKAGES.get(module) or PACKAGES.get(module.split(".", 1)[0]) or module.split(".", 1)[0]


def advice(error: BaseException, file: str = "code/requirements.txt") -> str:
    """A sentence on what to add, or nothing when no module is missing."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            return "Put %s into %s." % (package_of(error.name), file)
        error = error.__cause__ or error.__context__
    return ""
