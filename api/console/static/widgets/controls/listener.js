// Runs where the browser computes sound: passes on what it hears, a tenth of a second at a time.

// @ts-nocheck: AudioWorkletGlobalScope has its own globals, which the page's types do not know.

class Listener extends AudioWorkletProcessor {
  constructor() {
    super();
    this.held = new Float32Array(Math.ceil(sampleRate / 10));
    this.count = 0;
  }

  process([channels]) {
    const [first] = channels;
    if (!first) return true;
    for (let at = 0; at < first.length; at++) {
      let sum = 0;
      for (const channel of channels) sum += channel[at];
      this.held[this.count++] = sum / channels.length;
      if (this.count === this.held.length) {
        this.port.postMessage(this.held.slice());
        this.count = 0;
      }
    }
    return true;
  }
}

registerProcessor("listener", Listener);
