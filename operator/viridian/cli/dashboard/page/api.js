// What the server answers. A server that has ended is an answer too: it says so.

export async function ask(path, options = {}) {
  try {
    const answer = await fetch(path, options);
    return { ok: answer.ok, data: await answer.json() };
  } catch {
    return { ok: false, data: { error: "the server of this page does not answer: does it still run?" } };
  }
}
