"""The error codes Meta gives for registering numbers, templates, groups, calls and flows.

The format is that of ``code_table.py``, which holds the codes a send can meet. A message that meets
one of these is refused for good (``FAIL``) unless Meta documents the code as passing.
"""

MANAGEMENT = """
# Registering a number.

131044 calling_payment_problem FAIL s Payment problem for calling
    Meta cannot charge this account for calls. Check the payment method in WhatsApp Manager; messages
    are not affected.
133000 deregistration_failed FAIL s Incomplete deregistration
    An earlier deregistration of this number did not finish. Deregister the number again in WhatsApp
    Manager, then register it.
133004 registration_unavailable RETRY s Server temporarily unavailable
    Meta cannot register numbers right now. Nothing is wrong with the number; try again in some minutes.
    > Meta could not register numbers, and the message has failed for good. Nothing is wrong with
    > the number; send the message again in some minutes.
133005 pin_wrong FAIL s Two-step verification PIN mismatch
    The two-step verification PIN is wrong. Use the PIN that was set for this number, or reset it in
    WhatsApp Manager.
133006 number_not_verified FAIL s Phone number needs verification
    This phone number must be verified before it can be registered. Verify it by SMS or call in WhatsApp
    Manager.
133008 pin_guessed_too_often FAIL s Too many PIN guesses
    The two-step verification PIN was wrong too often. Wait as long as the details say before the next
    attempt.
133009 pin_guessed_too_fast FAIL s PIN guesses too fast
    The two-step verification PIN was entered too quickly after the last attempt. Wait as long as the
    details say, then try once more.
133015 number_recently_deleted RETRY s Phone number was recently deleted
    This phone number was deleted a moment ago and Meta is still clearing it. Wait five minutes before
    you register it again.
    > This phone number was deleted a moment ago and Meta is still clearing it, so the message has
    > failed for good. Wait five minutes, register the number and send the message again.

# Reading lists, callbacks and the health of an object.

131059 paging_cursor_invalid RETRY s Invalid paging cursor
    Meta's list changed while it was being read. Nothing to do: it is read again from the beginning.
    > Meta's list changed while it was being read, and it was not read to its end. Ask for it once
    > more.
2200 callback_not_verified FAIL s Callback verification failed
    Meta could not reach the callback address of this service or got a wrong answer. Make sure that the
    address is open to the internet and not blocked by a firewall, then save it again.
141002 template_not_ready FAIL_TEMPLATE s Template not ready
    The template is not approved yet, so it cannot be sent. Wait for Meta's review in WhatsApp Manager.

# Templates; Meta gives these as a subcode of 100 or as the code itself.

192 template_phone_button_invalid FAIL s Phone number button invalid
    The phone number of a call button is not valid. Write it with plus sign and country code.
200005 template_insights_unavailable FAIL s Template insights not available
    Template statistics are not available for this WhatsApp account. Confirm them in WhatsApp Manager
    first.
200006 template_insights_permanent FAIL s Template insights cannot be disabled
    Template statistics cannot be switched off once they are on. There is nothing to do.
200007 template_insights_not_enabled FAIL s Template insights not enabled
    Template statistics are not switched on for this WhatsApp account. Switch them on in WhatsApp
    Manager first.
2388019 template_limit_reached FAIL s Too many templates
    This WhatsApp account has as many templates as it may have. Delete some, or verify the business at
    Meta to raise the limit.
2388023 template_being_deleted FAIL s Template language is being deleted
    A template with this name and language is still being deleted. Wait some minutes or choose another
    name; the name of an approved template stays taken for 30 days.
2388024 template_already_exists FAIL s Content in this language already exists
    A template with this name already has content in this language. Edit that one or choose another
    name.
2388039 template_status_locked FAIL s Template status cannot be changed
    This template cannot be changed in its present state. Wait until Meta's review is over.
2388040 template_field_too_long FAIL s Character limit exceeded
    A text of the template is longer than Meta allows. Shorten it: header and footer have 60 characters,
    the body 1024.
2388047 template_header_invalid FAIL s Header format incorrect
    The header of the template has a wrong form. Remove line breaks, emoji and formatting from it and
    use at most one variable.
2388072 template_body_invalid FAIL s Body format incorrect
    The body of the template has a wrong form. Check its variables and line breaks.
2388073 template_footer_invalid FAIL s Footer format incorrect
    The footer of the template has a wrong form. It may have no variables, line breaks or formatting.
2388293 template_too_many_variables FAIL s Too many variables for the length
    The template has too many variables for so little text. Add words or remove variables.
2388299 template_variable_at_edge FAIL s Variable at start or end
    A template may not begin or end with a variable. Add words before or after it.

# Features beside plain messages: Meta's details say what to do.

131020 group_unavailable FAIL s Group unavailable
    The WhatsApp group cannot be used; it may be closed, or the number is not part of it. Check the
    group id.
131041 group_feature_unavailable FAIL s Groups not available
    This WhatsApp account cannot use groups as asked. Meta's details give the reason; check the
    account's eligibility for groups.
131201-131215 group_request_refused FAIL s Groups API error
    Meta refused the request about this group. The details give the reason; correct the request or the
    group's settings.
138000-138999 calling_refused FAIL s/w Calling API error
    Meta refused the request about a call. The details give the reason; check the calling settings of
    the number in WhatsApp Manager.
139000-139004 flow_management_refused FAIL s Flows API error
    Meta refused the request about a flow. The details give the reason; check the flow in WhatsApp
    Manager.
139100-139103 block_list_refused FAIL s Block API error
    Meta could not block or unblock this person. People can only be blocked shortly after they wrote to
    you; the details give the reason.
147001-147005 username_refused FAIL s Business username error
    Meta refused the username of this business. The details give the reason; choose another name in
    WhatsApp Manager.
1752041 onboarding_duplicate FAIL s Duplicate onboarding request
    This account has already asked to join Meta's marketing API. There is nothing to do but wait for
    Meta's answer.
2593107-2593109 history_sync_refused FAIL s History sync error
    Meta refused to hand over the chat history of the phone app. It can be asked for once, within a day
    of connecting the number; connect the number again to repeat it.
"""
