"""Form field for an image upload."""

from typing import Any

from flask import request
from wtforms import FileField, ValidationError
from wtforms.form import BaseForm

from lottery_system.pictures import OF_PICTURE, BadPicture, Encoded, encoded
from lottery_system.web.words import translated


class PictureField(FileField):
    """A file that must be a picture; what is wrong with it is shown beside the field.

    Args:
        label: of the field.
        sides: pixels of the longer side at most, large and small.
    """

    def __init__(self, label: Any, sides: tuple[int, int] = OF_PICTURE, **kwargs: Any) -> None:
        super().__init__(label, **kwargs)
        self._sides = sides
        #: the picture that was sent, once the form is valid; None for none
        self.encoded: Encoded | None = None

    def process(self, formdata: Any, data: Any = None, extra_filters: Any = None) -> None:
        """Read nothing from text fields, nor from a lottery, whose picture is no file."""
        super().process(None, None)

    def pre_validate(self, form: BaseForm) -> None:
        """Decode the picture.

        Raises:
            ValidationError: it is not a picture.
        """
        file = request.files.get(self.name)
        if file is None or not file.filename:  # browsers send an empty one where none is chosen
            return
        try:
            self.encoded = encoded(file.read(), self._sides)
        except BadPicture as error:
            raise ValidationError(translated(error)) from None
