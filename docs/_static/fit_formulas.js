// Shrink each formula that is wider than its line, so that a phone shows all of it.

const SMALLEST = 0.5; // of the size of the text; what is wider still scrolls

function fitFormulas() {
  for (const formula of document.querySelectorAll("div.math")) {
    const drawn = formula.querySelector("mjx-math");
    if (!drawn) continue;
    formula.style.fontSize = "";
    const number = formula.querySelector(".eqno");
    const room = formula.clientWidth - (number ? number.offsetWidth + 8 : 0);
    const ratio = room / drawn.getBoundingClientRect().width;
    if (ratio < 1) formula.style.fontSize = `${Math.max(ratio, SMALLEST)}em`;
  }
}

window.addEventListener("load", () => {
  if (!window.MathJax?.startup) return; // a page without formulas
  window.MathJax.startup.promise.then(fitFormulas);
  window.addEventListener("resize", fitFormulas);
});
