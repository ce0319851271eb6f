// Looks for a newer page every few seconds and puts its parts in place; what is open or in focus stays so.
(function () {
  "use strict";
  var EVERY_MS = 5000;
  function part(name, next) {
    var here = document.getElementById(name), there = next.getElementById(name);
    if (!here || !there || here.innerHTML === there.innerHTML) { return; }
    var focus = here.contains(document.activeElement) ? document.activeElement.id : "";
    here.querySelectorAll("details[open]").forEach(function (one) {
      var same = there.querySelector("#" + CSS.escape(one.id));
      if (same) { same.open = true; }
    });
    var status = here.querySelector("#headline"), said = there.querySelector("#headline");
    if (status && said) {
      // The live region itself stays, so that a change of its words is read out.
      if (status.textContent !== said.textContent) { status.textContent = said.textContent; }
      said.replaceWith(status);
    }
    here.replaceChildren.apply(here, Array.from(there.childNodes));
    var again = focus && document.getElementById(focus);
    if (again) { again.focus({ preventScroll: true }); }
  }
  function lost(is) {
    var sign = document.getElementById("lost");
    if (sign) { sign.hidden = !is; }
  }
  function look() {
    if (document.hidden) { later(); return; }
    fetch("/", { cache: "no-store", credentials: "omit" }).then(function (answer) {
      if (!answer.ok) { throw new Error(String(answer.status)); }
      return answer.text();
    }).then(function (text) {
      var next = new DOMParser().parseFromString(text, "text/html");
      document.title = next.title;
      document.getElementById("sign").href = next.getElementById("sign").getAttribute("href");
      part("part-head", next);
      part("part-main", next);
      lost(false);
    }).catch(function () { lost(true); }).then(later);
  }
  function later() { setTimeout(look, EVERY_MS); }
  document.addEventListener("visibilitychange", function () { if (!document.hidden) { look(); } });
  later();
})();
