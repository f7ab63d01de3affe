"""The error codes Meta gives for sending and for the state of an account, with our sentence for each.

One entry is a head line and, indented, the sentence a customer reads:

    CODE slug OUTCOME channel Meta's short title
        What happened, what to do, and who acts.
        > The same of a message that has failed for good, where the sentence above speaks of one that waits.

CODE is a number, a range (``200-299``) or a code with its subcode (``190/463``). The channel says
where Meta reports it: ``s`` in the HTTP answer, ``w`` in a callback, ``s/w`` in either. Sources are
Meta's error reference and the practice of other gateways; where a choice of outcome was ours, a line
beginning with ``#`` gives the reason. ``codes.py`` reads this text, ``code_table_management.py``
holds the rest.
"""

SENDING = """
# Authorisation: the number is held and keeps its queue until a person repairs the access.

0 authentication_failed HOLD_CREDENTIALS s We were unable to authenticate the app user
    Meta no longer accepts the access token of this number; it has expired or was revoked. Create a new
    system user token in Meta Business Settings and save it here; waiting messages then go out.
    > Meta no longer accepts the access token of this number, and the message has failed. Create a
    > new system user token in Meta Business Settings, save it here and send the message again.
3 capability_missing HOLD_CREDENTIALS s API method or capability not permitted
    The Meta app behind this number is not allowed to use the messaging API. Add WhatsApp to the app in
    Meta's App Dashboard and give the token the whatsapp_business_messaging permission.
10 permission_denied HOLD_CREDENTIALS s Permission denied
    The access token lacks a permission that this call needs, or the permission was taken away. Create a
    token with whatsapp_business_messaging and whatsapp_business_management and save it here.
33 object_not_visible HOLD_CREDENTIALS s Object does not exist or is not visible
    Meta cannot find this phone number with the saved token. Check the phone number ID, and assign the
    WhatsApp account to the token's system user in Meta Business Settings.
100/33 object_not_visible HOLD_CREDENTIALS s Object does not exist or is not visible
    Meta cannot find this phone number with the saved token. Check the phone number ID, and assign the
    WhatsApp account to the token's system user in Meta Business Settings.
102 session_invalid HOLD_CREDENTIALS s API session invalid
    Meta ended the login session behind this access token. Create a new system user token in Meta
    Business Settings and save it here.
104 access_token_missing HOLD_CREDENTIALS s Access token required
    Meta received the call without an access token. Save the token of this number again; if the message
    stays, the operator of this service has to look at it.
190 access_token_invalid HOLD_CREDENTIALS s Access token expired or invalid
    Meta says that the access token of this number is expired or invalid. Create a new system user token
    in Meta Business Settings and save it here; waiting messages then go out.
    > Meta says that the access token of this number is expired or invalid, and the message has
    > failed. Create a new system user token in Meta Business Settings, save it here and send the
    > message again.
190/458 app_not_installed HOLD_CREDENTIALS s App not installed
    The user behind the access token has removed the Meta app. Give the app access again, create a new
    token and save it here.
190/459 user_checkpoint HOLD_CREDENTIALS s User must confirm identity
    Meta wants the user behind the access token to log in to Facebook and confirm their identity. Do
    that, or save the token of a system user, which never needs it.
190/460 password_changed HOLD_CREDENTIALS s Password changed
    The user behind the access token changed their Facebook password, which ended the token. Create a
    system user token, which does not depend on a password, and save it here.
190/463 access_token_expired HOLD_CREDENTIALS s Access token expired
    The access token of this number has expired. Create a system user token without an end date in Meta
    Business Settings and save it here; waiting messages then go out.
    > The access token of this number has expired, and the message has failed. Create a system
    > user token without an end date in Meta Business Settings, save it here and send the message
    > again.
190/464 user_unconfirmed HOLD_CREDENTIALS s User not confirmed
    The Facebook user behind the access token is not confirmed. Confirm the user at Facebook, or save
    the token of a system user.
190/467 access_token_revoked HOLD_CREDENTIALS s Access token invalid
    The access token of this number was revoked or replaced. Save the current token from Meta Business
    Settings here; waiting messages then go out.
    > The access token of this number was revoked or replaced, and the message has failed. Save
    > the current token from Meta Business Settings here and send the message again.
190/492 session_invalid_for_page HOLD_CREDENTIALS s Session invalid
    The user behind the access token lost their role in the business. Give the role back at Meta, or
    save the token of a system user who has it.
200-299 permission_missing HOLD_CREDENTIALS s API permission missing or removed
    The access token may not act for this WhatsApp account. In Meta Business Settings assign the account
    to the system user with full control, create a new token and save it here.
803 object_unknown HOLD_CREDENTIALS s Object does not exist
    Meta does not know the ID that was used. Check the phone number ID and the WhatsApp account ID of
    this number, and that the token belongs to the same business.
131005 access_denied HOLD_CREDENTIALS s Access denied
    The access token may not use this WhatsApp account; a temporary token that ran out looks the same.
    Create a system user token with both WhatsApp permissions and save it here.
2500 path_unknown FAIL s Unknown path components
    Meta did not understand the address of the call. Check the Graph API version of this number; if it
    is a current one, the operator of this service has to look at it.

# Throttling: surely not processed; only the named scope slows down.

1 api_unknown RETRY s Invalid request or possible server error
    Meta could not process the request and does not say why. The message is tried a few more times by
    itself; if it fails for good, compare its content with Meta's documentation.
    > Meta could not process the request, did not say why, and the message has failed for good.
    > Compare its content with Meta's documentation before you send it again.
2 api_service RETRY s API service temporarily unavailable
    Meta's service is overloaded or being maintained. Nothing to do: the message is tried again by
    itself. Meta's state is shown at metastatus.com/whatsapp-business-api.
    > Meta's service was overloaded or being maintained for longer than the message was tried, so
    > it has failed for good. Send it again later; Meta's state is shown at
    > metastatus.com/whatsapp-business-api.
4 app_rate_limit THROTTLE_ACCOUNT s Application request limit reached
    The Meta app has used up the calls it may make for now. Nothing to do: sending goes on when Meta
    allows it again. Other programs that use the same app share this limit.
    > The Meta app had used up the calls it may make, and the message has failed for good. Send it
    > again later; other programs that use the same app share this limit.
17 user_rate_limit THROTTLE_ACCOUNT s User request limit reached
    The user behind the access token has made too many calls. Nothing to do: sending goes on when Meta
    allows it again.
    > The user behind the access token had made too many calls, and the message has failed for
    > good. Send it again later.
32 page_rate_limit THROTTLE_ACCOUNT s Page request limit reached
    Too many calls were made with this access token. Nothing to do: sending goes on when Meta allows it
    again.
    > Too many calls were made with this access token, and the message has failed for good. Send
    > it again later.
613 custom_rate_limit THROTTLE_ACCOUNT s Custom rate limit reached
    Meta limits how often this call may be made. Nothing to do: it is made again later.
    > Meta limits how often this call may be made, and the message has failed for good. Send it
    > again later.
80007 account_rate_limit THROTTLE_ACCOUNT s WhatsApp account rate limit reached
    This WhatsApp account has used up its calls for the hour. Nothing to do: calls go on when Meta
    allows them again. Other programs that manage the same account share this limit.
    > This WhatsApp account had used up its calls for the hour, and the message has failed for
    > good. Send it again later; other programs that manage the same account share this limit.
80008 management_rate_limit THROTTLE_ACCOUNT s Management API rate limit reached
    Too many management calls were made for this WhatsApp account. Nothing to do: they go on when Meta
    allows them again.
    > Too many management calls were made for this WhatsApp account, and the message has failed
    > for good. Send it again later.
130429 rate_limit_hit THROTTLE_NUMBER s Rate limit hit
    This number sends faster than Meta allows it to. Nothing to do: the speed is lowered and the message
    is sent again by itself.
    > This number sent faster than Meta allows it to, and Meta dropped the message for good. Send
    > it again later, and more slowly if several failed like this.
131048 spam_rate_limit PAUSE_ACCOUNT s/w Spam rate limit hit
    Too many people blocked or reported this number, so Meta limits it. Check the quality rating in
    WhatsApp Manager, stop messages people do not expect, and resume sending after some hours.
    > Too many people blocked or reported this number, so Meta limits it, and the message has
    > failed for good. Check the quality rating in WhatsApp Manager and stop messages people do
    > not expect before you send it again.
131056 pair_rate_limit THROTTLE_PAIR s Pair rate limit hit
    Too many messages went from this number to this person in a short time. Nothing to do: the message
    is sent again a little later, and messages to other people are not affected.
    > Too many messages went from this number to this person in a short time, and the message has
    > failed for good. Wait some minutes before you send it again; other people are not affected.
131064 template_misclassification_limit PAUSE_ACCOUNT s/w Limit due to template misclassification
    Meta limits this account because templates were filed under the wrong category. Correct the
    categories in WhatsApp Manager; Meta lifts the limit by itself, then resume sending.
    > Meta limits this account because templates were filed under the wrong category, and the
    > message has failed for good. Correct the categories in WhatsApp Manager and send it again
    > when Meta has lifted the limit.
# A send never meets 133016 in practice; if it does, it was refused unprocessed, so the message waits.
133016 registration_limit THROTTLE_NUMBER s Too many registration attempts
    The number was registered or deregistered too often; Meta allows 10 attempts in 72 hours. Wait until
    the 72 hours are over and register it once.
    > The number was registered or deregistered too often; Meta allows 10 attempts in 72 hours,
    > and the message has failed for good. Wait until they are over, register the number once and
    > send the message again.

# State of the account or the number: nothing goes out until its owner has acted.

368 account_blocked_for_policy PAUSE_ACCOUNT s/w Temporarily blocked for policy violations
    Meta has restricted this WhatsApp account because of a policy violation. Open Business Support Home
    at Meta to see the reason and to ask for a review; sending stays paused until then.
    > Meta has restricted this WhatsApp account because of a policy violation, and the message has
    > failed for good. Open Business Support Home at Meta to ask for a review, and send the
    > message again when it is over.
130497 country_restricted FAIL_RECIPIENT s/w Account restricted in this country
    Meta does not let this WhatsApp account write to people in this country. Look up the rules of your
    trade for that country, or reach the person another way.
131031 account_locked PAUSE_ACCOUNT s/w Account has been locked
    Meta has locked this WhatsApp account, for a policy violation or because data did not match. Open
    WhatsApp Manager to see why and to appeal; sending stays paused until then.
    > Meta has locked this WhatsApp account, for a policy violation or because data did not match,
    > and the message has failed for good. Open WhatsApp Manager to see why and to appeal, then
    > send the message again.
131037 display_name_not_approved PAUSE_ACCOUNT s Display name needs approval
    The display name of this number has no approval yet, and Meta requires it before sending. Submit a
    display name in WhatsApp Manager and resume when it is approved.
    > The display name of this number has no approval yet, and the message has failed for good.
    > Submit a display name in WhatsApp Manager and send the message again when it is approved.
131042 payment_problem PAUSE_ACCOUNT s/w Business eligibility payment issue
    Meta cannot charge this WhatsApp account. Check the payment method, credit line, currency and time
    zone in WhatsApp Manager under billing, then resume sending.
    > Meta cannot charge this WhatsApp account, and the message has failed for good. Check the
    > payment method, credit line, currency and time zone in WhatsApp Manager under billing, then
    > send the message again.
131045 number_registration_error PAUSE_ACCOUNT s/w Incorrect certificate or registration
    This phone number is not correctly registered with the Cloud API. Register it again in WhatsApp
    Manager, then resume sending.
    > This phone number is not correctly registered with the Cloud API, and the message has failed
    > for good. Register it again in WhatsApp Manager, then send the message again.
131057 account_in_maintenance RETRY s Account in maintenance mode
    Meta is working on this account, usually to raise its speed; it takes about a minute. Nothing to do:
    the message is sent again by itself.
    > Meta was working on this account for longer than the message was tried, so it has failed for
    > good. Send it again in some minutes.
133010 number_not_registered PAUSE_ACCOUNT s Phone number not registered
    This phone number exists at Meta but is not registered with the Cloud API. Register it in WhatsApp
    Manager, then resume sending.
    > This phone number exists at Meta but is not registered with the Cloud API, and the message
    > has failed for good. Register it in WhatsApp Manager, then send the message again.
# Payments only: pausing a whole account for it would also stop its login codes.
134011 payments_terms_pending FAIL s WhatsApp Payments terms not accepted
    The terms of WhatsApp Payments are not accepted yet, so payment messages are refused. Accept them in
    WhatsApp Manager and send the message again; other messages are not affected.
2494100 number_in_migration RETRY s Number in maintenance mode
    Meta is moving this number, which takes some minutes. Nothing to do: the message is sent again by
    itself.
    > Meta was moving this number for longer than the message was tried, so it has failed for
    > good. Send it again in some minutes.

# The message itself or its recipient.

100 parameter_invalid FAIL s Invalid parameter
    Meta refused a value in this message; the details name it. Correct the value and send a new message.
130403 recipient_blocked_by_you FAIL_RECIPIENT s/w Recipient is blocked by the business
    Your business has blocked this person on WhatsApp. Unblock them in WhatsApp Manager if you want to
    write to them again.
130472 recipient_in_experiment FAIL_RECIPIENT w User's number is part of an experiment
    Meta keeps marketing messages from a small group of people to measure their effect, and this person
    is one of them. Do not send it again; use another channel.
131000 something_went_wrong RETRY s/w Something went wrong
    Meta had an unknown error with this message. If the message has failed for good, send it once more;
    if that fails too, ask Meta's support with the trace id.
    > Meta had an unknown error with this message, and it has failed for good. Send it once more;
    > if that fails too, ask Meta's support with the trace id.
131008 parameter_missing FAIL s Required parameter is missing
    A required part of the message is missing; the details name it. Add it and send a new message.
131009 parameter_value_invalid FAIL s Parameter value is not valid
    A value in the message is not allowed, for instance a title that is too long, a number in the wrong
    form or a reaction to a deleted message. Correct what the details name and send a new message.
131014 media_link_not_found FAIL w Media link not found
    The link to the media file answered with an error. Make sure that the file can be opened without a
    login, then send a new message.
131016 service_unavailable RETRY s/w Service unavailable
    A part of Meta's service is down for the moment. Nothing to do: the message is sent again by itself.
    > A part of Meta's service was down for longer than the message was tried, so it has failed for
    > good. Send it again later; Meta's state is shown at metastatus.com/whatsapp-business-api.
131021 recipient_is_sender FAIL s Recipient cannot be sender
    The message is addressed to the number that sends it. Choose another recipient.
131026 recipient_unreachable FAIL_RECIPIENT w Message undeliverable
    WhatsApp cannot deliver to this person: the number has no WhatsApp, an old version, or does not take
    messages from you; Meta does not say which. Check the number or use another channel.
131030 recipient_not_allowed FAIL s Recipient not in allowed list
    This is one of Meta's test numbers, and it may only write to people on its list. Add the recipient
    to the list in Meta's App Dashboard, or send from your own number.
131047 reengagement_window_closed FAIL_RECIPIENT s/w Re-engagement message
    More than 24 hours have passed since this person last wrote to you, so WhatsApp only takes approved
    templates. Send a template instead.
131049 marketing_limit_for_recipient FAIL_RECIPIENT w Not delivered to maintain healthy engagement
    Meta limits how many marketing messages one person gets from all businesses, and this person has had
    enough for now. Wait at least 24 hours before you try again, or use another channel.
131050 marketing_stopped_by_recipient FAIL_RECIPIENT w User stopped marketing messages
    This person has asked WhatsApp to stop marketing messages from your business. Do not send them any
    more marketing; other messages are still possible.
131051 message_type_unsupported FAIL s/w Message type unsupported
    WhatsApp does not take this type of message. Choose one of the documented types and send a new
    message.
131052 inbound_media_failed FAIL w Media download error
    A file this person sent could not be loaded by Meta, for instance because it is over 100 MB. Ask
    them to send it again, smaller or as a link.
# Proven not sent when it comes at once; Meta may simply have met a slow file server.
131053 media_upload_failed RETRY s/w Media upload error
    Meta could not load or use the media file of this message. Check that the link opens, and that type
    and size are allowed (no WebP images, for instance), then send a new message.
131055 method_not_allowed FAIL s Method not allowed
    This kind of message cannot be sent this way; Meta's marketing API takes marketing templates only.
    Send it as an ordinary message.
131062 user_id_not_supported FAIL s Recipient user ID not supported
    This message needs a phone number as recipient; login codes, for instance, cannot go to a WhatsApp
    user ID. Send it to the person's phone number.
131063 marketing_disabled_on_cloud_api FAIL_TEMPLATE s Marketing templates disabled on Cloud API
    This WhatsApp account sends marketing only through Meta's Marketing Messages API. Switch marketing
    templates for the Cloud API back on in WhatsApp Manager, or send another template.
132000 template_broken_at_meta FAIL_TEMPLATE s Number of parameters does not match
    The number of values does not match the template as it is at Meta now; it may have been edited. The
    template is being read again; compare your values with it and send a new message.
132001 template_missing_at_meta FAIL_TEMPLATE s Template does not exist
    Meta has no approved template with this name in this language. Check the exact language code (en and
    en_US are two) and the approval in WhatsApp Manager; the list is being read again.
132005 template_text_too_long FAIL s Hydrated text too long
    With your values filled in, the text of the template is longer than WhatsApp allows. Shorten the
    values and send a new message.
132007 template_policy_violated FAIL_TEMPLATE s/w Template content policy violated
    The content of this template breaks a WhatsApp rule. Edit the template in WhatsApp Manager and have
    it approved again.
132008 template_value_not_allowed FAIL s Template parameter value invalid
    One of the values has characters that the template does not allow there. Correct the value and send
    a new message.
132012 template_broken_at_meta FAIL_TEMPLATE s Parameter format does not match
    A value has another form than the template at Meta expects, for instance text where it has an image.
    The template is being read again; compare your values with it and send a new message.
132015 template_paused_by_meta FAIL_TEMPLATE s/w Template is paused
    Meta has paused this template because people reacted badly to it. Improve it in WhatsApp Manager or
    use another one; it can be sent again when Meta shows it as approved.
132016 template_disabled_by_meta FAIL_TEMPLATE s/w Template is disabled
    Meta has disabled this template for good after it was paused too often. Create a new template with
    other content and use that one.
132018 template_value_invalid FAIL s Template parameter invalid
    A value for the template is not valid: line breaks, tabs, more than four spaces in a row and empty
    values are not allowed. Correct the value and send a new message.
132068 flow_blocked FAIL_TEMPLATE s Flow is blocked
    The flow in this message is blocked by Meta. Repair the flow in WhatsApp Manager and publish it
    again.
# Ten messages an hour get through; backing off for an hour is the sender's decision, not ours.
132069 flow_throttled FAIL s Flow is throttled
    Meta slows this flow down because of errors in it; only 10 messages an hour may carry it. Repair the
    flow in WhatsApp Manager and send the message again after an hour.
134100 marketing_templates_only FAIL s Only marketing templates allowed
    Meta's marketing API takes marketing templates only. Send this template as an ordinary message.
134101 template_syncing RETRY s Template is still syncing
    Meta is still preparing this template for its marketing API, which takes up to 10 minutes. Nothing
    to do: the message is sent again by itself.
    > Meta was still preparing this template for its marketing API, and the message has failed for
    > good. Send it again after 10 minutes.
134102 template_unavailable FAIL_TEMPLATE s Template unavailable for use
    This template cannot be used with Meta's marketing API. Check its state in WhatsApp Manager, or use
    another template.
135000 generic_user_error FAIL s/w Generic user error
    Meta refused the message without a reason; often the number cannot be reached on WhatsApp. Check the
    recipient's number and the content, then send a new message.
137000 identity_changed FAIL s/w Identity key hash mismatch
    This person's WhatsApp identity has changed since you last confirmed it; they may have a new phone.
    Confirm who they are, store the new identity hash and send a new message.
"""
