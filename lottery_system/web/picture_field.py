"""Form field for an image upload."""

from typing import Any

from flask import request
from wtforms import FileField, ValidationError
from wtforms.form import BaseForm

from lottery_system.pictures import OF_PICTURE, BadPicture, Encoded, encoded
from lottery_system.web.words import translated


class PictureField(FileField):
    """A file field that must be a picture; errors are shown beside the field.

    Args:
        label: of the field.
        sides: pixels of the longer side at most, large and small.
    """

    def __init__(self, label: Any, sides: tuple[int, int] = OF_PICTURE, **kwargs: Any) -> None:
        super().__init__(label, **kwargs)
        self._sides = sides
        #: the uploaded picture once the form is valid; None if no file was chosen
        self.encoded: Encoded | None = None

    def process(self, formdata: Any, data: Any = None, extra_filters: Any = None) -> None:
        """Ignore text values of this name, and the lottery's own picture, which is not a file."""
        super().process(None, None)

    def pre_validate(self, form: BaseForm) -> None:
        """Decode the picture.

        Raises:
            ValidationError: it is not a picture.
        """
        file = request.files.get(self.name)
        if file is None or not file.filename:  # browsers send an empty one if none is chosen
            return
        try:
            self.encoded = encoded(file.read(), self._sides)
        except BadPicture as error:
            raise ValidationError(translated(error)) from None
