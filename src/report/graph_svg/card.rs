//! What stands in a card: lines of words and pills, and how large they are.

use super::SvgOptions;
use crate::graph::{Gate, Multiplier, Node, NodeId, Norm, Op, ParamId, ScopeId};
use crate::report::notation::{Notation, last_part};

/// Height of a line.
pub const LINE: f64 = 21.0;
/// Font size of everything in a card.
pub const FONT: f64 = 12.0;
/// Space between a card's border and its words.
const INSET: f64 = 9.0;
/// Space between words.
const SPACE: f64 = 5.0;
/// Height of the shape below a card.
pub const CAPTION: f64 = 15.0;

/// A part of a line.
#[derive(Clone, Debug)]
pub enum Word {
    /// Plain.
    Text(String),
    /// What the spec calls the result.
    Name(String),
    /// A parameter.
    Pill(String, Option<String>),
}

/// What a card looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A chain of operations.
    Steps,
    /// One circle with a sign.
    Sign(&'static str),
    /// What is given.
    Data,
    /// A stream at the start of a repetition.
    Carry,
}

/// A node of the picture.
#[derive(Clone, Debug)]
pub struct Face {
    pub look: Look,
    /// The definition it stands for, if it stands for one.
    pub title: String,
    pub lines: Vec<Vec<Word>>,
    /// What is written below: the shape of the result, and its size.
    pub caption: String,
}

impl Face {
    pub fn new(look: Look) -> Face {
        Face { look, title: String::new(), lines: Vec::new(), caption: String::new() }
    }

    /// Width and height of the card itself.
    pub fn extent(&self) -> (f64, f64) {
        if let Look::Sign(_) = self.look {
            return (24.0, 24.0);
        }
        let title = if self.title.is_empty() { 0.0 } else { text_width(&self.title, FONT) * 1.08 };
        let lines = self.lines.iter().map(|line| line_width(line)).fold(title, f64::max);
        let count = self.lines.len() + usize::from(!self.title.is_empty());
        (lines + 2.0 * INSET, count.max(1) as f64 * LINE + 2.0)
    }

    /// Takes away what a definition calls its result: the title says more.
    pub fn unname_result(&mut self) {
        let named = |line: &&mut Vec<Word>| line.len() > 2 && matches!(line.last(), Some(Word::Name(_)));
        if let Some(line) = self.lines.iter_mut().rev().find(named) {
            line.truncate(line.len() - 2);
        }
    }

    /// The space right of the middle that the caption takes.
    pub fn caption_width(&self) -> f64 {
        if self.caption.is_empty() { 0.0 } else { text_width(&self.caption, FONT - 2.0) + 8.0 }
    }
}

/// The places of a line's words, from its left end.
pub fn word_places(line: &[Word]) -> Vec<(f64, f64)> {
    let mut x = 0.0;
    let mut places = Vec::with_capacity(line.len());
    for word in line {
        let width = word_width(word);
        places.push((x, width));
        x += width + SPACE;
    }
    places
}

/// The width of a line.
pub fn line_width(line: &[Word]) -> f64 {
    line.iter().map(|word| word_width(word) + SPACE).sum::<f64>() - if line.is_empty() { 0.0 } else { SPACE }
}

fn word_width(word: &Word) -> f64 {
    match word {
        Word::Text(text) => text_width(text, FONT),
        Word::Name(text) => text_width(text, FONT) * 1.08,
        Word::Pill(text, _) => text_width(text, FONT - 1.0) + 14.0,
    }
}

/// About how wide a text is in Helvetica, Arial or Liberation Sans, which have the same metrics; rather too much than too little.
pub fn text_width(text: &str, size: f64) -> f64 {
    let advance = |letter: char| match letter {
        'i' | 'j' | 'l' | '\'' | '|' | '.' | ',' | ':' | ';' | '!' | ' ' | 'I' => 0.28,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '/' | '"' | '·' => 0.34,
        'm' | 'M' | 'W' | '%' | '…' => 0.9,
        'w' | 'G' | 'O' | 'Q' | 'C' | 'D' | 'H' | 'N' | 'R' | 'U' => 0.74,
        'A'..='Z' => 0.68,
        letter if letter.is_ascii() => 0.57,
        _ => 0.66,
    };
    size * 1.09 * text.chars().map(advance).sum::<f64>()
}

/// A text that fits a card.
pub fn shorten(text: &str) -> String {
    const MOST: usize = 48;
    match text.chars().count() > MOST {
        true => text.chars().take(MOST - 1).chain(['…']).collect(),
        false => text.to_string(),
    }
}

/// Whether an operation has no node of its own: it is written where it is used.
pub fn is_leaf(op: &Op) -> bool {
    matches!(op, Op::Param(_) | Op::Constant(_) | Op::Range | Op::RelativeBucket(_))
}

/// The line of one operation.
pub fn line(notation: &Notation<'_>, id: NodeId, options: &SvgOptions) -> Vec<Word> {
    let node = notation.graph.node(id);
    if let Op::Data(data) = &node.op {
        return vec![Word::Name(shorten(&notation.graph.data[data.index()].name))];
    }
    let mut words = step(notation, id);
    if !matches!(node.op, Op::Contract { .. } | Op::Add(_) | Op::Lookup { .. } | Op::Carry(_)) {
        let at = if matches!(node.op, Op::Map(_) | Op::Scale(_)) { words.len() } else { 0 };
        words.splice(at..at, leaves(notation, id));
    }
    let tells = !options.compact && !is_reform(&node.op);
    let name = node.name.as_ref().filter(|_| tells || matches!(node.op, Op::Carry(_)));
    match (&node.op, name) {
        (_, None) => {}
        (Op::Carry(_), Some(name)) => words.insert(0, Word::Name(shorten(name))),
        (_, Some(name)) => words.extend([text("→"), Word::Name(shorten(name))]),
    }
    words
}

/// The operation in words; what comes down the wire is not repeated.
fn step(notation: &Notation<'_>, id: NodeId) -> Vec<Word> {
    let node = notation.graph.node(id);
    let over = |axis: usize| shorten(&notation.axis(node, axis));
    match &node.op {
        Op::Contract { einsum, multiplier } => {
            let labels = notation.labels(einsum, &node.operands);
            let sums: Vec<_> = einsum.contracted().iter().filter_map(|label| labels.get(label)).collect();
            let sums: Vec<_> = sums.into_iter().map(|name| name.trim_end_matches('\'')).collect();
            product(notation, id, multiplier, &sums.join(" "))
        }
        Op::Add(_) => added(notation, id),
        Op::Scale(multiplier) => vec![text("×"), text(notation.factor(multiplier).trim_end_matches(" · "))],
        Op::Lookup { .. } => lookup(notation, id),
        Op::Map(func) => vec![text(func.name())],
        Op::Normalize { norm, axes } => {
            let name = match norm {
                Norm::Standardize => "standardize over",
                Norm::Batch => "standardize over the batch",
                Norm::Rms => "rms normalize over",
            };
            let names: Vec<String> = axes.iter().map(|axis| over(*axis)).collect();
            vec![text(format!("{name} {}", names.join(" ")).trim_end())]
        }
        Op::Softmax { axis, log } => {
            vec![text(&format!("{}softmax over {}", if *log { "log " } else { "" }, over(*axis)))]
        }
        Op::Max { axes } => {
            vec![text(&format!(
                "max over {}",
                axes.iter().map(|axis| over(*axis)).collect::<Vec<_>>().join(" ")
            ))]
        }
        Op::Window { axis, size, .. } => {
            vec![text(&format!("windows of {} along {}", notation.dim(size), over(*axis)))]
        }
        Op::Split { axis, parts } => {
            let parts = notation.axes(node.shape.iter().skip(*axis).take(*parts)).join(" × ");
            vec![text(&format!("{} as {parts}", over(*axis)))]
        }
        Op::Merge { axis, parts } => {
            vec![text(&format!("merge {}", (*axis..axis + parts).map(over).collect::<Vec<_>>().join(" × ")))]
        }
        Op::Pick { axis, at } => vec![text(&format!("entry {at} of {}", over(*axis)))],
        Op::Step { block, axis } => {
            vec![text(&format!("entry {} of {}", notation.letter(*block), over(*axis)))]
        }
        Op::Collect { block, .. } => vec![text(&format!("for every {}", notation.letter(*block)))],
        Op::Concat { axis } => vec![text(&format!("joined along {}", over(*axis)))],
        Op::Gate(gate) => vec![text(&gated(gate, over))],
        Op::Data(_)
        | Op::Param(_)
        | Op::Constant(_)
        | Op::Range
        | Op::RelativeBucket(_)
        | Op::Carry(_)
        | Op::Exit(_) => leaves(notation, id),
    }
}

/// What keeps sizes, in words.
fn gated(gate: &Gate, over: impl Fn(usize) -> String) -> String {
    match gate {
        Gate::Causal => "causal mask".to_string(),
        Gate::TopK { axis, count } => format!("largest {count} of {}", over(*axis)),
        Gate::Dropout(rate) => format!("dropout {rate}"),
        Gate::StopGradient => "stop gradient".to_string(),
    }
}

/// A product; `sums` names the axes that are summed.
fn product(notation: &Notation<'_>, id: NodeId, multiplier: &Multiplier, sums: &str) -> Vec<Word> {
    let graph = notation.graph;
    let node = graph.node(id);
    if is_mean(notation, node, multiplier) {
        return vec![text(&format!("mean over {sums}"))];
    }
    let mut words = Vec::new();
    let factor = notation.factor(multiplier);
    if !factor.is_empty() {
        words.extend([text(factor.trim_end_matches(" · ")), text("×")]);
    }
    let flows = node.operands.iter().filter(|id| !is_leaf(&graph.node(**id).op)).count();
    match (flows, node.operands.len()) {
        (_, 1) if sums.is_empty() => words.push(text("transpose")),
        (_, 1) => {}
        (1, 2) => {
            words.extend(words.is_empty().then(|| text("×")));
            words.extend(leaves(notation, id));
        }
        _ => {
            for at in 0..node.operands.len() {
                words.extend((at > 0).then(|| text("·")));
                words.push(operand(notation, id, at));
            }
        }
    }
    words.extend((!sums.is_empty()).then(|| text(&format!("Σ {sums}"))));
    words
}

/// Whether a sum is divided by how much it sums.
fn is_mean(notation: &Notation<'_>, node: &Node, multiplier: &Multiplier) -> bool {
    let (Op::Contract { einsum, .. }, Multiplier::Written(factor), [only]) =
        (&node.op, multiplier, &node.operands[..])
    else {
        return false;
    };
    let shape = &notation.graph.node(*only).shape;
    let axes = einsum.contracted().into_iter().filter_map(|label| einsum.axis(0, label));
    let product = axes
        .filter_map(|axis| shape.get(axis))
        .try_fold(factor.clone(), |product, dim| product.mul(&dim.into()));
    product.is_some_and(|product| product.is_one())
}

fn added(notation: &Notation<'_>, id: NodeId) -> Vec<Word> {
    let words: Vec<Word> = leaves(notation, id).into_iter().flat_map(|leaf| [text("+"), leaf]).collect();
    if words.is_empty() { vec![text("sum")] } else { words }
}

fn lookup(notation: &Notation<'_>, id: NodeId) -> Vec<Word> {
    let node = notation.graph.node(id);
    let Some(index) = node.operands.get(1) else { return Vec::new() };
    vec![operand(notation, id, 0), text("at"), text(&plain(notation, node.scope, *index))]
}

/// The operands that have no node of their own.
fn leaves(notation: &Notation<'_>, id: NodeId) -> Vec<Word> {
    let operands = &notation.graph.node(id).operands;
    let leaf = |at: &usize| is_leaf(&notation.graph.node(operands[*at]).op);
    (0..operands.len()).filter(leaf).map(|at| operand(notation, id, at)).collect()
}

/// An operand of a node, by its position.
fn operand(notation: &Notation<'_>, user: NodeId, position: usize) -> Word {
    let graph = notation.graph;
    let node = graph.node(user);
    let id = node.operands[position];
    match &graph.node(id).op {
        Op::Param(param) => {
            let name = near_path(notation, *param, node.scope);
            let tied = if graph.consumers(id).nth(1).is_some() { " (tied)" } else { "" };
            Word::Pill(shorten(&format!("{name}{tied}")), site_role(notation, user, position, *param))
        }
        _ => Word::Text(plain(notation, node.scope, id)),
    }
}

/// The role of a parameter where it is used; else the one that it has everywhere.
pub fn site_role(notation: &Notation<'_>, user: NodeId, position: usize, param: ParamId) -> Option<String> {
    let site = (notation.annotations.site)(user, position).map(str::to_string);
    site.or_else(|| (notation.annotations.role)(param))
}

/// The last part of a parameter's path, or the last two where it belongs to another scope.
fn near_path(notation: &Notation<'_>, id: ParamId, scope: ScopeId) -> String {
    let param = notation.graph.param(id);
    let name = last_part(&param.path);
    match param.path.len() - name.len() {
        0 => name.to_string(),
        _ if param.scope == scope => name.to_string(),
        dot => format!("{}.{name}", last_part(&param.path[..dot - 1])),
    }
}

/// An operand without colour. What a definition returned goes by the name of the call.
fn plain(notation: &Notation<'_>, scope: ScopeId, id: NodeId) -> String {
    let graph = notation.graph;
    let node = graph.node(id);
    match &node.op {
        Op::Constant(value) => value.to_string(),
        Op::Range => format!("0 … {}", node.shape.first().map(|dim| notation.dim(dim)).unwrap_or_default()),
        Op::RelativeBucket(_) => "distance".to_string(),
        Op::Carry(_) | Op::Exit(_) | Op::Data(_) => {
            node.name.as_deref().map_or_else(|| "·".to_string(), shorten)
        }
        _ => flow(notation, scope, id),
    }
}

/// The name of a value that comes down a wire, looking through a few changes of form.
fn flow(notation: &Notation<'_>, scope: ScopeId, id: NodeId) -> String {
    const LOOKS: usize = 6;
    let graph = notation.graph;
    let before = |id: &NodeId| {
        let node = graph.node(*id);
        let named = node.name.is_some() && node.scope == scope;
        if is_reform(&node.op) && !named { node.operands.first().copied() } else { None }
    };
    let id = std::iter::successors(Some(id), before).take(LOOKS).last().unwrap_or(id);
    let node = graph.node(id);
    match notation.call_seen_from(scope, node.scope) {
        Some(call) => shorten(&graph.scope(call).name),
        None => node.name.as_deref().map_or_else(|| "·".to_string(), shorten),
    }
}

/// Whether an operation only gives axes another form.
pub fn is_reform(op: &Op) -> bool {
    match op {
        Op::Split { .. } | Op::Merge { .. } => true,
        Op::Contract { einsum, multiplier: Multiplier::Free } => {
            einsum.inputs.len() == 1 && einsum.contracted().is_empty()
        }
        _ => false,
    }
}

fn text(text: &str) -> Word {
    Word::Text(shorten(text))
}
