"""Meta's error codes: their titles, their HTTP statuses and the two envelopes in which they travel."""

from typing import Any, NamedTuple

from . import ids

ERROR_PAGE = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"


class Entry(NamedTuple):
    """One line of the table: the title, what `error_data.details` says by default, the HTTP status."""

    title: str
    details: str = ""
    status: int = 400


TABLE: dict[int, Entry] = {
    0: Entry("AuthException", "We were unable to authenticate the app user.", 401),
    1: Entry("API Unknown", "Invalid request or possible server error."),
    2: Entry("Service temporarily unavailable", "Temporary due to downtime or being overloaded.", 500),
    3: Entry("API Method", "Capability or permissions issue.", 500),
    4: Entry("Application request limit reached", "The app has reached its API call rate limit.", 429),
    10: Entry("Application does not have permission for this action", "Permission not granted.", 403),
    100: Entry("Invalid parameter", "The request has a parameter that is not supported or misspelled."),
    190: Entry("Access token has expired", "The access token has expired.", 401),
    200: Entry("API Permission", "A permission is missing or was removed.", 403),
    368: Entry("Temporarily blocked for policies violations", "The account is restricted.", 403),
    80007: Entry("Rate limit issues", "The WhatsApp Business Account has reached its rate limit.", 429),
    130403: Entry("User blocked", "The business has blocked this user."),
    130429: Entry("Rate limit hit", "Cloud API message throughput has been reached.", 429),
    130472: Entry("User's number is part of an experiment", "The message was not sent: experiment."),
    130497: Entry("Business account is restricted from messaging users in this country.", "", 403),
    131000: Entry("Something went wrong", "The message could not be sent for an unknown reason.", 500),
    131005: Entry("Access denied", "A permission is missing or was removed.", 403),
    131008: Entry("Required parameter is missing"),
    131009: Entry("Parameter value is not valid"),
    131016: Entry("Service unavailable", "A service is temporarily unavailable.", 500),
    131021: Entry("Recipient cannot be sender", "Sender and recipient are the same phone number."),
    131026: Entry("Message undeliverable", "Message Undeliverable."),
    131030: Entry("Recipient phone number not in allowed list", "Add the number to the list of recipients."),
    131031: Entry("Business Account locked", "The account is restricted or disabled.", 403),
    131037: Entry("Display name approval is needed", "This number has no approved display name."),
    131042: Entry("Business eligibility payment issue", "There was an error with the payment method."),
    131045: Entry("Incorrect certificate", "The number has a registration error.", 500),
    131047: Entry("Re-engagement message", "More than 24 hours have passed since the customer last replied."),
    131048: Entry("Spam rate limit hit", "Too many messages were blocked or flagged as spam."),
    131049: Entry(
        "This message was not delivered to maintain healthy ecosystem engagement.",
        "To keep a healthy ecosystem engagement the message was not delivered.",
    ),
    131050: Entry("User stopped marketing messages", "This recipient stopped marketing from the business."),
    131051: Entry("Unsupported message type", "Message type is currently not supported."),
    131052: Entry("Media download error", "The media the user sent could not be downloaded."),
    131053: Entry("Media upload error", "The media of the message could not be fetched or has a wrong type."),
    131056: Entry(
        "(Business Account, Consumer Account) pair rate limit hit",
        "Too many messages sent from this number to the same recipient in a short time.",
    ),
    131057: Entry("Account in maintenance mode", "The account is in maintenance mode.", 500),
    131059: Entry("Invalid paging cursor", "The cursor is not valid; start again without it."),
    131062: Entry("Business-scoped user id not supported", "This message needs a phone number."),
    132000: Entry("Number of parameters does not match the expected number of params"),
    132001: Entry("Template name does not exist in the translation", "", 404),
    132005: Entry("Translated text too long"),
    132007: Entry("Template format character policy violated"),
    132012: Entry("Parameter format does not match format in the created template"),
    132015: Entry("Template is paused", "The template is paused because of low quality."),
    132016: Entry("Template is disabled", "The template was disabled because of low quality."),
    132018: Entry("There is an issue with the parameters in your template"),
    133010: Entry("Phone number not registered", "The number is not registered on the platform."),
    133016: Entry("Account register deregister rate limit exceeded", "Too many attempts; wait 72 hours."),
    135000: Entry("Generic user error", "The message failed for an unknown reason."),
}


class GraphError(Exception):
    """A refusal in Meta's words; whoever raises it need not know how it is written on the wire.

    `message` replaces the usual "(#code) title"; `details` fills `error_data`; `blame` makes `error_data`
    the serialised string that the template endpoints use.
    """

    def __init__(
        self,
        code: int,
        details: str = "",
        *,
        message: str = "",
        subcode: int | None = None,
        status: int | None = None,
        kind: str = "OAuthException",
        user_title: str = "",
        user_message: str = "",
        blame: str = "",
        plain: bool = False,
    ) -> None:
        entry = TABLE.get(code, Entry("Unknown error"))
        super().__init__(code, details or message)
        self.code = code
        self.status = status or entry.status
        body: dict[str, Any] = {"message": message or f"(#{code}) {entry.title}", "type": kind, "code": code}
        if blame:
            body["error_data"] = blame
        elif (code >= 368 and not plain) or details:
            body["error_data"] = {"messaging_product": "whatsapp", "details": details or entry.details}
        if subcode is not None:
            body["error_subcode"] = subcode
        if code in (1, 2):
            body["is_transient"] = True
        if user_title:
            body |= {"error_user_title": user_title, "error_user_msg": user_message}
        self.body = body

    def envelope(self) -> dict[str, Any]:
        """The synchronous answer's body, with a trace id of its own."""
        return {"error": {**self.body, "fbtrace_id": ids.trace_id()}}


def in_callback(code: int, details: str = "") -> dict[str, Any]:
    """The same error as a `failed` status carries it: no number in the message, and a link."""
    entry = TABLE.get(code, Entry("Unknown error"))
    return {
        "code": code,
        "title": entry.title,
        "message": entry.title,
        "error_data": {"details": details or entry.details or entry.title},
        "href": ERROR_PAGE,
    }


def no_such_object(object_id: str, verb: str = "get") -> GraphError:
    """Meta says the same of a missing object, a hidden one and an unsupported verb: nobody can guess."""
    return GraphError(
        100,
        message=f"Unsupported {verb.lower()} request. Object with ID '{object_id}' does not exist, cannot be "
        "loaded due to missing permissions, or does not support this operation",
        subcode=33,
        kind="GraphMethodException",
    )


def token_refused(reason: str, subcode: int | None = None) -> GraphError:
    """Code 190: the token is unknown, revoked or expired; it has no `error_data`."""
    return GraphError(190, message=reason, subcode=subcode)


def missing(name: str) -> GraphError:
    """Code 131008 for a parameter that has to be there."""
    return GraphError(131008, f"Parameter '{name}' is required.")


def invalid(details: str) -> GraphError:
    """Code 131009 for a value that cannot stand."""
    return GraphError(131009, details)
