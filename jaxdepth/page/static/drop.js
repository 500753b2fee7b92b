/** Takes files that are dropped anywhere on the page, or pasted. */

function firstPicture(transfer) {
  const files = [...(transfer?.files ?? [])];
  return files.find((file) => file.type.startsWith("image/")) ?? files[0] ?? null;
}

/**
 * @param {HTMLElement} zone is marked while a file is above the page.
 * @param {(file: File) => void} onFile
 * @param {() => void} onNothing where what is dropped is no file.
 */
export function takeFiles(zone, onFile, onNothing) {
  document.addEventListener("paste", ({ clipboardData }) => {
    const file = firstPicture(clipboardData);
    if (file) onFile(file);
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) zone.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    const file = firstPicture(event.dataTransfer);
    if (file) onFile(file);
    else onNothing();
  });
}

