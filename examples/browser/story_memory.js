// The story memory of an exported bundle, in a browser: statements are written into it, questions are read from it.
// Taking sentences apart follows memory/dnc/words.py; its word lists come with the bundle (manifest.json, story_reading).

const LONGEST = 400; // characters of a sentence that are read

/** Sentences as indices: closed-class words, and names bound to numbers in the order of their first mention. */
export class Reading {
  constructor(rules, settings, words, meaningful) {
    this.rules = rules;
    this.settings = settings;
    this.entries = [...rules.first_entries, ...words, ...meaningful];
    this.index = new Map(this.entries.map((word, position) => [word, position]));
    this.meaningful = new Set(meaningful);
    this.sets = Object.fromEntries(["dropped", "after_is", "alone", "kin"].map((name) => [name, new Set(rules[name])]));
    // Python's letters and digits of any language
    this.token = new RegExp(rules.token.replaceAll("[^\\W_]", "[\\p{L}\\p{N}]"), "gu");
  }

  isName(word) {
    return !this.index.has(word) || this.meaningful.has(word);
  }

  singular(word) {
    if (Object.hasOwn(this.rules.irregular, word)) return this.rules.irregular[word];
    if (word.length > 4 && word.endsWith("ies")) return `${word.slice(0, -3)}y`;
    if (word.length > 4 && /(sses|ches|shes|xes)$/.test(word)) return word.slice(0, -2);
    if (word.length > 3 && word.endsWith("s") && !/(ss|us|is|'s)$/.test(word)) return word.slice(0, -1);
    return word;
  }

  spoken(sentence) {
    const tokens = sentence.toLowerCase().replaceAll("\u2019", "'").match(this.token) ?? [];
    return tokens.flatMap((token, position) => {
      const following = tokens[position + 1] ?? "";
      if (this.sets.dropped.has(token)) return [this.rules.break];
      if (Object.hasOwn(this.rules.contractions, token)) return this.rules.contractions[token].split(" ");
      const opened = token.endsWith("'s") && (this.sets.dropped.has(following) || this.sets.after_is.has(following));
      return opened ? [bare(token), "is"] : [token];
    });
  }

  /** Closed-class words and names; neighbouring names are one, and so is "box of chocolates". */
  parts(sentence) {
    const parts = [];
    const words = this.spoken(sentence);
    let naming = false;
    let of = false;
    words.forEach((word, position) => {
      const following = words.slice(position + 1);
      if (word === this.rules.break) {
        naming = naming && of;
      } else if (!this.isName(bare(word))) {
        of = bare(word) === "of" && naming && this.namedNext(following);
        if (!of) {
          naming = false;
          parts.push(bare(word));
        }
      } else {
        const kept = this.kept(word, following);
        const alone = this.sets.alone.has(word) || this.sets.alone.has(parts.at(-1));
        if (naming && (of || !alone)) parts[parts.length - 1] += (of ? " of " : " ") + kept;
        else parts.push(kept);
        naming = true;
        of = false;
      }
    });
    return parts.map(bare);
  }

  hasWords(sentence) {
    return this.spoken(sentence.slice(0, LONGEST)).some((word) => word !== this.rules.break);
  }

  namedNext(following) {
    const found = following.find((word) => word !== this.rules.break);
    return found !== undefined && this.isName(bare(found));
  }

  kept(word, following) {
    const one = this.singular(word);
    const careless = !this.sets.kin.has(word) && this.sets.kin.has(one) && following.length > 0;
    return careless && this.isName(following[0]) && following[0] !== this.rules.break ? `${one}'s` : one;
  }

  /** The number of a name in `numbers` (a Map), a new one for a new name. */
  number(numbers, name) {
    if (!numbers.has(name)) {
      const [first, ...others] = name.split(" ");
      const rest = others.join(" ");
      if (this.sets.kin.has(first) && rest) {
        const known = numbers.get(rest) ?? numbers.get(first) ?? this.fresh(numbers);
        numbers.set(rest, known);
        numbers.set(first, known);
        return known;
      }
      numbers.set(name, this.longer(numbers, name) ?? this.fresh(numbers));
    }
    return numbers.get(name);
  }

  fresh(numbers) {
    return Math.min(count(numbers), this.settings.identities - 1);
  }

  longer(numbers, name) {
    const known = [...numbers.keys()].reverse();
    const found = known.find((k) => k.endsWith(` ${name}`) && !k.includes("'s") && !k.includes(" of "));
    return numbers.get(found);
  }

  /** Indices of a sentence, cut to the network's length; new names are added to `numbers`. */
  encode(numbers, sentence) {
    return this.parts(sentence)
      .slice(0, this.settings.length)
      .map((part) => (this.isName(part) ? this.entries.length + this.number(numbers, part) : this.index.get(part)));
  }

  meanings(numbers) {
    const values = new Array(this.settings.identities).fill(0);
    for (const [name, number] of numbers) if (this.meaningful.has(name)) values[number] = this.index.get(name);
    return values;
  }
}

/** Writes and reads with the two networks of a bundle; its states are values that never change. */
export class StoryMemory {
  constructor(ort, write, read, reading, calibration = {}) {
    Object.assign(this, { ort, write_: write, read_: read, reading, calibration });
  }

  /** Open the memory of the bundle at `address`. */
  static async open(ort, address) {
    const json = async (file) => (await fetch(`${address}/${file}`)).json();
    const [manifest, memory] = [await json("manifest.json"), await json("memory/manifest.json")];
    const open = async (role) => {
      const { file } = manifest.files.find((entry) => entry.role === role);
      return ort.InferenceSession.create(`${address}/${file}`, { executionProviders: ["wasm"] });
    };
    const reading = new Reading(manifest.story_reading, memory.settings, memory.words, memory.meaningful);
    return new StoryMemory(ort, await open("memory_write"), await open("memory_read"), reading, memory.calibration);
  }

  empty() {
    return { relations: [], fillers: [], statements: [], numbers: new Map() };
  }

  /** The memory after one more statement; one without a word changes nothing. */
  async write(state, statement) {
    if (!this.reading.hasWords(statement)) return state;
    const numbers = new Map(state.numbers);
    const sentence = this.sentence(numbers, statement);
    const { relation, filler } = await this.write_.run({ ...sentence, ...this.rows(state) });
    return {
      relations: [...state.relations, relation.data],
      fillers: [...state.fillers, filler.data],
      statements: [...state.statements, statement],
      numbers,
    };
  }

  /** {text, confidence}: the answer, null for "I don't know", and its chance. */
  async ask(state, question) {
    const { identities, slots } = this.reading.settings;
    if (!state.statements.length || !this.reading.hasWords(question)) return { text: null, confidence: 1 };
    const numbers = new Map(state.numbers);
    const sentence = this.sentence(numbers, question);
    const bound = Uint8Array.from({ length: identities }, (_, n) => Number(n < count(numbers)));
    const { chances } = await this.read_.run({
      ...sentence,
      ...this.rows(state),
      named: this.integers(this.reading.meanings(numbers)),
      bound: new this.ort.Tensor("bool", bound, [1, identities]),
    });
    const width = chances.data.length / slots;
    return this.words(
      Array.from({ length: slots }, (_, slot) => chances.data.subarray(slot * width, (slot + 1) * width)),
      numbers,
    );
  }

  words(slots, numbers) {
    const [, end, unknown] = this.reading.rules.first_entries;
    const { entries } = this.reading;
    const found = [];
    let chance = 1;
    let known = true;
    for (const chances of slots) {
      const best = chances.reduce((top, other, at) => (other > chances[top] ? at : top), 0);
      chance *= chances[best];
      const word = best < entries.length ? entries[best] : nameOf(numbers, best - entries.length);
      known = word !== unknown;
      if (!known || word === end || !word) break;
      found.push(word);
    }
    const confidence = believed(chance, this.calibration);
    const sure = known && found.length > 0 && confidence >= (this.calibration.threshold ?? 0.5);
    return { text: sure ? found.join(",") : null, confidence };
  }

  sentence(numbers, text) {
    const { length } = this.reading.settings;
    const words = this.reading.encode(numbers, text.slice(0, LONGEST));
    while (words.length < length) words.push(0);
    const meant = this.reading.meanings(numbers);
    const first = this.reading.entries.length;
    const meanings = words.map((word) => (word >= first ? meant[word - first] : 0));
    return { words: this.integers(words), meanings: this.integers(meanings) };
  }

  rows({ relations, fillers }) {
    const { relation, arguments: told, resolved, embedding } = this.reading.settings;
    const filler = (told + resolved) * embedding;
    const rows = Math.max(relations.length, 1);
    const ages = relations.length ? relations.map((_, row) => Math.log1p(rows - row)) : [-1];
    return {
      relations: this.numbers([1, rows, relation], relations.flatMap((row) => [...row])),
      fillers: this.numbers([1, rows, filler], fillers.flatMap((row) => [...row])),
      ages: this.numbers([1, rows], ages),
    };
  }

  integers(values) {
    return new this.ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
  }

  numbers(shape, values) {
    const data = new Float32Array(shape.reduce((product, size) => product * size));
    data.set(values);
    return new this.ort.Tensor("float32", data, shape);
  }
}

const bare = (word) => (word.endsWith("'s") ? word.slice(0, -2) : word);

/** The confidence that goes with a chance of the network: Platt scaling, as in memory/dnc/reader.py. */
function believed(chance, { slope = 1, offset = 0 }) {
  const bounded = Math.min(Math.max(chance, 1e-6), 1 - 1e-6);
  return 1 / (1 + Math.exp(-(slope * Math.log(bounded / (1 - bounded)) + offset)));
}

const count = (numbers) => Math.max(-1, ...numbers.values()) + 1;

const nameOf = (numbers, number) => [...numbers].find(([, known]) => known === number)?.[0];
