"""A form with an original in it, as the bytes of a request that knows whether its end was ever given out."""

import secrets
from collections.abc import Generator, Mapping

from daemon.originals import Original


class Multipart:
    """A multipart body (RFC 7578) around an original, of known length; can be given out once.

    `whole` is set when the last byte of the original and the closing boundary are handed over: before that
    nobody can have taken the document.
    """

    def __init__(
        self, fields: Mapping[str, str], file_field: str, sent_name: str, media_type: str, original: Original
    ) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        head = "".join(
            f'--{boundary}\r\ncontent-disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        head += f'--{boundary}\r\ncontent-disposition: form-data; name="{file_field}"; filename="{sent_name}"\r\n'
        head += f"content-type: {media_type}\r\n\r\n"
        # Half a surrogate pair, which YAML can write, must not break the form of a paid request.
        self._head = head.encode(errors="replace")
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._original = original
        self.length = len(self._head) + original.size + len(self._tail)
        self.whole = False

    def blocks(self) -> Generator[bytes]:
        """The bytes in order. Raises DocumentChangedError and TransferCutError; then the end never goes out."""
        yield self._head
        held = b""
        for block in self._original.blocks():
            if held:
                yield held
            held = block
        # The last byte goes with the boundary, behind everything else: a connection that breaks before is
        # proof, also for a document of a single block.
        if len(held) > 1:
            yield held[:-1]
        self.whole = True
        yield held[-1:] + self._tail


def _quoted(name: str) -> str:
    """A field's name as browsers write it between quotes (WHATWG HTML, multipart/form-data encoding)."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
