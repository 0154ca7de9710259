"""Pictures in base64 leave a page for files beside it."""

import base64
import re

from tools.book.data_images import to_files

PNG = b"\x89PNG not really"


def test_a_picture_becomes_a_file(tmp_path):
    data = base64.b64encode(PNG).decode()
    page = f'<p><img class="lb-still" src="data:image/png;base64,{data}" alt="Rays"></p>'
    written = to_files(page, tmp_path, lambda name: f"../{name}")
    name = re.search(r'src="\.\./([^"]+)"', written)[1]
    assert (tmp_path / name).read_bytes() == PNG
    assert 'class="lb-still" loading="lazy"' in written and 'alt="Rays"' in written


def test_other_pictures_stay(tmp_path):
    page = '<img src="../_images/a.png"><img src="data:image/svg+xml,%3Csvg%3E">'
    assert to_files(page, tmp_path, str) == page
