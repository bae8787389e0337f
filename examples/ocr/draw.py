"""`python3 draw.py FILE LINE …`: draws a picture of lines of text with Pillow; the last line stands on its head."""

import sys

from PIL import Image, ImageDraw, ImageFont

SIZE = 34
MARGIN = 40
WIDTH = 900
# Pillow's own font, so that the picture is the same everywhere.
FONT = ImageFont.load_default(SIZE)


def main() -> None:
    path, *lines = sys.argv[1:]
    picture = Image.new("RGB", (WIDTH, MARGIN + len(lines) * 2 * SIZE + MARGIN), "white")
    for row, line in enumerate(lines):
        strip = Image.new("RGB", (WIDTH - 2 * MARGIN, 2 * SIZE), "white")
        ImageDraw.Draw(strip).text((0, SIZE // 3), line, fill="black", font=FONT)
        turned = strip.rotate(180) if row == len(lines) - 1 else strip
        picture.paste(turned, (MARGIN, MARGIN + row * 2 * SIZE))
    picture.save(path)


if __name__ == "__main__":
    main()
