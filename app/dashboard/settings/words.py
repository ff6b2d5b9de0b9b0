"""The owner's page of the words that cancel, beside the texts that tell of them."""

from functools import partial

from litestar import Response, Router, get, post
from sqlalchemy.orm import Session

from app import db
from app.conversations.cancel_words import WordsForm
from app.dashboard.forms import AS_IT_IS, FormState, saved, submit
from app.dashboard.settings.texts import NAMES
from app.dashboard.shell import FormData, PageRequest, page
from app.messages import saved_texts
from app.messages.languages import KINDS, LANGUAGES
from app.shop import changes
from app.shop import service as shop_service
from app.web import edit_conflicts

HERE = "/settings/texts/words"


@get(HERE, opt={"access": "owner"}, sync_to_thread=True)
def show(request: PageRequest) -> Response[str]:
    """The words beside "cancel"."""
    return _show(request)


@post(HERE, opt={"access": "owner"}, sync_to_thread=True)
def save(request: PageRequest, form: FormData) -> Response[str]:
    """Set them."""
    typed = WordsForm(form)

    def act(session: Session) -> Response[str]:
        values = typed.checked()
        edit_conflicts.check(form, typed.shown(changes.locked(session)))
        return saved(request, HERE, changes.save(session, values, request.user.actor))

    return submit(form, act, partial(_show, request))


def _show(request: PageRequest, state: FormState = AS_IT_IS) -> Response[str]:
    with db.database().read() as session:
        row = shop_service.shop(session)
        texts = [saved_texts.read(session, each) for each in KINDS]
    return page(
        request,
        "settings/words.html",
        **state.context(edit_conflicts.shown(WordsForm.shown(row))),
        saved=texts,
        always=sorted({each.cancel[-1] for each in LANGUAGES.values()}),
        names=NAMES,
        kind="words",
    )


router = Router("/", route_handlers=[show, save], include_in_schema=False)
