// A form with data-passkey is sent with the answer of the browser's own dialog: "create" for a new
// passkey, "get" for one that is there. What is asked stands in data-options, as WebAuthn's JSON.
(() => {
  "use strict";

  const canAsk = window.PublicKeyCredential?.parseCreationOptionsFromJSON && isSecureContext;
  const asks = {
    create: (options) => navigator.credentials.create({
      publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options),
    }),
    get: (options) => navigator.credentials.get({
      publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options),
    }),
  };

  const say = (form, words) => {
    const problem = form.querySelector(".problem[role=alert]");
    problem.hidden = false;
    problem.textContent = words;
  };

  const inWords = (error) => {
    if (error.name === "InvalidStateError") return "This device has a passkey for you already.";
    if (error.name === "SecurityError") return "Passkeys need an address with a name, such as localhost.";
    return "Nothing was confirmed. Try again, or use a code.";
  };

  const ask = async (form) => {
    if (!canAsk) return say(form, "This browser knows no passkeys, or this page is not on https.");
    try {
      const answer = await asks[form.dataset.passkey](JSON.parse(form.dataset.options));
      form.elements.passkey.value = JSON.stringify(answer);
      form.submit();
    } catch (error) {
      say(form, inWords(error));
    }
  };

  document.addEventListener("submit", (event) => {
    if (!event.target.dataset.passkey) return;
    event.preventDefault();
    ask(event.target);
  });
})();
