// A box in each folded table. It hides the rows that lack the typed text. Without scripts, all rows are there.
document.addEventListener("DOMContentLoaded", () => {
  for (const details of document.querySelectorAll("details.rows")) {
    const rows = [...details.querySelectorAll("tbody tr")];
    if (rows.length < 10) continue;
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const label = document.createElement("label");
    const box = document.createElement("input");
    const count = document.createElement("span");
    label.className = "filter";
    box.type = "search";
    box.placeholder = "Filter rows, e.g. softmax float32";
    box.setAttribute("aria-label", "Filter rows");
    count.setAttribute("aria-live", "polite");
    label.append(box, count);
    const update = () => {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, k) => {
        row.hidden = !words.every((word) => texts[k].includes(word));
        shown += !row.hidden;
      });
      count.textContent = `${shown} of ${rows.length} rows`;
    };
    box.addEventListener("input", update);
    update();
    details.querySelector("summary").after(label);
  }
});
