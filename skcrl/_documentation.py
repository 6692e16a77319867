"""Where the documentation of an estimator is, for scikit-learn's drawings of it."""

from itertools import takewhile

import skcrl

# As in pyproject.toml, which an installed skcrl does not have.
ADDRESS = "https://skcrl.github.io/skcrl/"


class Documented:
    """Makes the HTML drawing of an estimator link to its page in the API reference."""

    _doc_link_module = "skcrl"
    _doc_link_template = ADDRESS + "generated/{public_name}.html"

    def _doc_link_url_param_generator(self):
        kind = type(self)
        if kind.__name__ in skcrl.__all__:
            return {"public_name": f"skcrl.{kind.__name__}"}
        parts = kind.__module__.split(".")
        public = takewhile(lambda part: not part.startswith("_"), parts)
        return {"public_name": ".".join([*public, kind.__name__])}
