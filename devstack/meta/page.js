// The page on which a person plays the customer. Everything that comes from outside is set as text, never as HTML.
"use strict";

const $ = (id) => document.getElementById(id);
let numberId = "";
let customer = "";
let drawnChat = "";
let drawnChats = "";

function el(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = String(text);
  return made;
}

async function call(path, method, body) {
  const answer = await fetch("/_sandbox/" + path, {
    method: method || "GET",
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body ? JSON.stringify(body) : undefined,
  });
  const read = await answer.json();
  if (!answer.ok) throw new Error(read.error || "That did not work.");
  return read;
}

let toastTimer = 0;
function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $("toast").hidden = true; }, 3200);
}

function initials(name) {
  return String(name).split(/\s+/).slice(0, 2).map((word) => word.charAt(0)).join("").toUpperCase() || "?";
}

function clockTime(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

// -- what the customer does ---------------------------------------------------------------------------

async function say(message) {
  if (!numberId || !customer) { toast("Choose a customer first."); return; }
  try {
    await call("inbound", "POST", { phone_number_id: numberId, from: customer, ...message });
    await refresh();
  } catch (trouble) {
    toast(trouble.message);
  }
}

function place() {
  return say({ type: "location", location: { latitude: 64.1466, longitude: -21.9426, name: "Harpa", address: "Austurbakki 2, Reykjavík" } });
}

// -- drawing ------------------------------------------------------------------------------------------

const KINDS = {
  image: "Image", video: "Video", audio: "Voice message", document: "Document", sticker: "Sticker",
  location: "Location", contact: "Contact", order: "Order", product: "Product", gif: "GIF",
};

function parts(into, shown, id) {
  if (shown.media && KINDS[shown.media]) {
    const named = shown.label ? KINDS[shown.media] + " · " + shown.label : KINDS[shown.media];
    into.append(el("span", "kind", named));
  }
  if (shown.header) into.append(el("h3", "", shown.header));
  if (shown.offer) into.append(el("p", "foot", shown.offer));
  if (shown.media === "reaction") into.append(el("p", "foot", "Reaction"));
  if (shown.body) into.append(el("p", "", shown.body));
  if (shown.footer) into.append(el("p", "foot", shown.footer));
  if (shown.cards && shown.cards.length) {
    const cards = el("div", "cards");
    for (const inner of shown.cards) {
      const card = el("div", "card");
      parts(card, inner, id);
      cards.append(card);
    }
    into.append(cards);
  }
  if (shown.buttons && shown.buttons.length) into.append(choices(shown.buttons, id));
}

function choices(buttons, id) {
  const box = el("div", "choices");
  for (const one of buttons) {
    const context = { id: id };
    if (one.button || one.answer || one.location) {
      const button = el("button", "", one.text);
      button.type = "button";
      if (one.button) button.addEventListener("click", () => say({ type: "button", button: one.button, context: context }));
      else if (one.answer) button.addEventListener("click", () => say({ type: "interactive", interactive: one.answer, context: context }));
      else button.addEventListener("click", place);
      box.append(button);
    } else {
      const label = el("span", "", one.text);
      if (one.hint) label.append(el("small", "", one.hint));
      box.append(label);
    }
  }
  return box;
}

function bubble(entry) {
  const box = el("article", entry.mine ? "bubble mine" : "bubble");
  parts(box, entry, entry.id);
  const meta = el("div", "meta");
  if (entry.template) meta.append(el("span", "", entry.template));
  meta.append(el("span", "", clockTime(entry.at)));
  if (entry.mine) {
    if (entry.read) meta.append(el("span", "read", "read"));
  } else {
    meta.append(el("span", entry.status, entry.error ? entry.status + " " + entry.error : entry.status));
  }
  box.append(meta);
  return box;
}

function drawChat(chat) {
  const seen = JSON.stringify(chat.entries) + customer;
  const minutes = Math.ceil(chat.window_seconds / 60);
  $("window").textContent = minutes > 0
    ? "window open, " + (minutes >= 60 ? Math.round(minutes / 60) + " h" : minutes + " min")
    : "window closed";
  $("window").className = minutes > 0 ? "window is-open" : "window";
  $("who").textContent = "seen by " + chat.name + ", +" + chat.customer;
  if (seen === drawnChat) return;
  drawnChat = seen;
  const talk = $("talk");
  const atEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 60;
  talk.replaceChildren(...chat.entries.map(bubble));
  if (!chat.entries.length) talk.append(el("p", "empty", "No messages yet. Write one, and the 24-hour window is open for free text."));
  if (atEnd || talk.scrollTop === 0) talk.scrollTop = talk.scrollHeight;
}

function drawChats(chats) {
  const seen = JSON.stringify(chats) + customer;
  if (seen === drawnChats) return;
  drawnChats = seen;
  $("no-chats").hidden = chats.length > 0;
  $("chats").replaceChildren(...chats.map((one) => {
    const item = el("li");
    const button = el("button");
    button.type = "button";
    if (one.customer === customer) button.setAttribute("aria-current", "true");
    button.append(el("span", "face", initials(one.name)), el("strong", "", one.name), el("small", "", (one.mine ? "wrote: " : "") + one.text));
    button.addEventListener("click", () => choose(one.customer));
    item.append(button);
    return item;
  }));
}

function choose(digits) {
  customer = digits;
  $("customer").value = "+" + digits;
  drawnChat = "";
  drawnChats = "";
  $("talk").scrollTop = 0;
  refresh();
}

// -- keeping up ---------------------------------------------------------------------------------------

async function refresh() {
  const asked = customer;
  const at = encodeURIComponent(numberId);
  const [state, list] = await Promise.all([call("state"), call("chats?phone_number_id=" + at)]);
  $("pulse").textContent = state.messages + " accepted · " + state.callbacks_waiting + " callbacks waiting";
  $("pulse").className = "pulse";
  drawChats(list.chats);
  if (!customer && list.chats.length) { choose(list.chats[0].customer); return; }
  if (customer) {
    const chat = await call("chat?phone_number_id=" + at + "&customer=" + encodeURIComponent(asked));
    if (asked === customer) drawChat(chat);
  }
}

async function keepUp() {
  try {
    if (!document.hidden) await refresh();
  } catch (trouble) {
    $("pulse").textContent = "The sandbox does not answer";
    $("pulse").className = "pulse lost";
  }
  setTimeout(keepUp, 1000);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch (trouble) {
    toast("The browser does not allow copying here.");
  }
}

function owner(one) {
  const box = el("div", "owner");
  box.append(el("h3", "", one.verified_name));
  const list = el("dl");
  const shown = [
    ["Phone", one.phone], ["Phone number ID", one.phone_number_id], ["WABA ID", one.waba_id], ["App ID", one.app_id],
    ["App secret", one.app_secret], ["Verify token", one.verify_token], ["Access token", one.access_token],
  ];
  for (const [name, value] of shown) {
    const cell = el("dd");
    cell.append(el("code", "", value));
    const button = el("button", "", "Copy");
    button.type = "button";
    button.setAttribute("aria-label", "Copy " + name);
    button.addEventListener("click", () => copy(value));
    list.append(el("dt", "", name), cell, button);
  }
  box.append(list);
  return box;
}

async function begin() {
  const [known, magic] = await Promise.all([call("numbers"), call("magic")]);
  for (const one of known.numbers) {
    const option = el("option", "", one.verified_name + "  " + one.phone);
    option.value = one.phone_number_id;
    $("number").append(option);
  }
  const take = () => {
    numberId = $("number").value;
    const name = $("number").selectedOptions[0].textContent.split("  ")[0];
    $("business").textContent = name;
    $("face").textContent = initials(name);
  };
  take();
  $("number").addEventListener("change", () => {
    take();
    customer = "";
    drawnChat = drawnChats = "";
    $("talk").replaceChildren();
    $("who").textContent = "Choose a customer";
    $("window").textContent = "";
    refresh();
  });
  $("spare").replaceChildren(...known.numbers.filter((one) => one.spare).map(owner));
  for (const row of magic.recipients) {
    const line = el("tr");
    const digits = el("td");
    const button = el("button", "", "…" + row.digits);
    button.type = "button";
    button.title = "Open this customer";
    button.addEventListener("click", () => choose("1415555" + row.digits));
    digits.append(button);
    line.append(digits, el("td", "", row.says.charAt(0).toUpperCase() + row.says.slice(1)));
    $("magic").append(line);
  }
  for (const note of magic.notes) $("notes").append(el("li", "", note));
  keepUp();
}

$("open").addEventListener("submit", (event) => {
  event.preventDefault();
  const digits = $("customer").value.replace(/\D/g, "");
  if (digits.length < 7 || digits.length > 15) { toast("A phone number has 7 to 15 digits."); return; }
  choose(digits);
});
$("write").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  say({ type: "text", text: { body: text } });
});
$("send-image").addEventListener("click", () => say({ type: "image", image: { caption: "A picture" } }));
$("send-place").addEventListener("click", place);
begin().catch((trouble) => {
  $("pulse").textContent = trouble.message;
  $("pulse").className = "pulse lost";
});
