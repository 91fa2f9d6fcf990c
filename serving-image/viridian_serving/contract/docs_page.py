"""``/docs``: a page about this pod's model, with a form to try it.

It holds all that it needs, and its policy lets it load nothing and speak to nobody but this API.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Final

from viridian_serving.codec.features import Feature, one_of, written
from viridian_serving.codec.tensors import Kind
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.json_schema import brief_sample
from viridian_serving.http1.messages import Headers

_FOLDER: Final = Path(__file__).with_name("page")
_STYLE: Final = (_FOLDER / "style.css").read_text()
_SCRIPT: Final = (_FOLDER / "script.js").read_text()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_POLICY: Final = (
    f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Headers] = (
    (b"Content-Security-Policy", _POLICY.encode()),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
)


_KEY: Final = """<label><span><b>API key</b><span class="rule">is sent as X-Api-Key, and kept nowhere</span></span>
<input id="key" type="password"></label>
"""


def docs_page(contract: Contract, identity: Mapping[str, str], *, keyed: bool = False) -> str:
    """Write the page.

    Args:
        contract: What is taken and given.
        identity: model, version and revision.
        keyed: Whether clients need an API key.

    Returns:
        HTML; it goes with HEADERS.
    """
    model = escape(identity["model"])
    chips = "".join(f'<span class="chip">{key} {escape(identity[key])}</span>' for key in ("version", "revision"))
    features = contract.requests.features
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{model}</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{model}</h1>
<p>{escape(contract.description)}</p>
{chips}
</header>
<main>
<div class="columns">
<section>
<h2>Try it</h2>
<form autocomplete="off" novalidate>
{_KEY if keyed else ""}{"".join(_field(feature, brief_sample(feature)) for feature in features)}
<button>Predict</button>
</form>
</section>
<div>
<section><h2>Answer</h2><div id="result"><p class="note">Nothing was asked yet.</p></div></section>
<section><h2>The same from a shell</h2><pre id="command"></pre></section>
</div>
</div>
<section>
<h2>Features</h2>
<div class="wide"><table>
<tr><th>name</th><th>type</th><th>may be</th><th>means</th></tr>
{"".join(_row(feature) for feature in features)}
</table></div>
</section>
<section>
<h2>Answers</h2>
<div class="wide"><table>{"".join(_answer_rows(contract))}</table></div>
<p class="note">Every answer also names model, version, revision and request_id.</p>
</section>
</main>
<footer class="note"><a href="openapi.json">openapi.json</a> · <a href="schema">schema</a> · <a href="health">health</a>
</footer>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _field(feature: Feature, value: object) -> str:
    rule = escape(_rule(feature))
    data = f'name="{escape(feature.name)}" data-kind="{feature.kind}"' + (
        ' data-nullable="1"' if feature.nullable else ""
    )
    if not feature.single:
        text = "" if value is None else json.dumps(value, ensure_ascii=False)
        entry = f'<textarea {data} data-list="1" spellcheck="false">{escape(text)}</textarea>'
    elif options := _options(feature):
        entry = f"<select {data}>{''.join(options)}</select>"
    else:
        shown = value[0] if isinstance(value, list) else value
        shown = "" if shown is None else written(shown) if isinstance(shown, int | float) else str(shown)
        mode = ' inputmode="decimal"' if feature.kind is not Kind.STRING else ""
        entry = f'<input {data}{mode} value="{escape(shown)}">'
    return f'<label><span><b>{escape(feature.name)}</b><span class="rule">{rule}</span></span>{entry}</label>\n'


def _options(feature: Feature) -> list[str]:
    values = ["false", "true"] if feature.kind is Kind.BOOLEAN else [str(each) for each in feature.categories]
    chosen = str(feature.sample()).lower() if feature.kind is Kind.BOOLEAN else str(feature.sample())
    if feature.nullable and values:
        values.append("")
    return [
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(value)}</option>'
        for value in values
    ]


def _rule(feature: Feature) -> str:
    low, high = feature.minimum, feature.maximum
    if not feature.single:
        return feature.expected()
    if low is not None and high is not None:
        return f"{written(low)} to {written(high)} {feature.unit}".rstrip()
    if low is not None or high is not None:
        bound = f"at least {written(low)}" if low is not None else f"at most {written(high or 0)}"
        return f"{bound} {feature.unit}".rstrip()
    return feature.unit or str(feature.kind)


def _row(feature: Feature) -> str:
    what = [
        str(feature.kind),
        *(["or null"] if feature.nullable else []),
        *(["(sensitive)"] if feature.sensitive else []),
    ]
    may_be = one_of(feature.categories) if feature.categories else _rule(feature)
    cells = (feature.name, " ".join(what), may_be, feature.description)
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>\n"


def _answer_rows(contract: Contract) -> Iterator[str]:
    answers = contract.answers
    rows = [("prediction", "a class" if answers.classes else "what the model predicts")]
    if answers.probabilities is not None:
        most = f", the {answers.top_k} highest" if answers.top_k is not None else ""
        rows += [("confidence", "of the prediction"), ("probabilities", f"for each class{most}")]
    elif answers.confidence is not None:
        rows.append(("confidence", "of the prediction"))
    if answers.classes:
        rows.append(("classes", ", ".join(answers.classes)))
    for name, text in rows:
        if name not in answers.withhold:
            yield f"<tr><td>{name}</td><td>{escape(text)}</td></tr>\n"
