// What the command answers. A command that has ended is an answer too: it says so.

export async function ask(path, options = {}) {
  try {
    const answer = await fetch(path, options);
    return { ok: answer.ok, data: await answer.json() };
  } catch {
    return { ok: false, data: { error: "the command does not answer: is it still running?" } };
  }
}
