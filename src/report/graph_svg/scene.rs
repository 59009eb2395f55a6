//! Which cards, frames and wires show a graph.
//!
//! An operation goes into the card of the one it continues if nothing else uses that one's result. Definitions with a single card
//! are no frame around it but its title; definitions deeper than the picture goes are one card.

mod finish;

use std::collections::{HashMap, HashSet};

use super::SvgOptions;
use super::card::{Face, Look, Word, is_leaf, is_reform, line, line_width, shorten, site_role};
use crate::graph::{Block, Graph, Multiplier, Node, NodeId, Op, ScopeId};
use crate::report::layout::{Diagram, Wire};
use crate::report::notation::Notation;

/// The most lines of a card.
const LINES: usize = 9;
/// The widest line of pills.
const PILLS: f64 = 220.0;

/// What is drawn, and what is in it.
pub struct Scene {
    pub faces: Vec<Face>,
    /// Whether something leaves a card, and whether a stream does.
    pub used: Vec<Option<bool>>,
    pub titles: Vec<Header>,
    pub diagram: Diagram,
}

/// The title of a frame.
#[derive(Clone, Debug, Default)]
pub struct Header {
    pub text: String,
    /// It is a repetition.
    pub block: bool,
}

/// Where the nodes of a scope are drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Home {
    /// In the scope's own frame.
    Frame(usize),
    /// In one card for the whole of this scope.
    Collapsed(ScopeId),
}

/// A card while it is made.
struct Draft {
    face: Face,
    frame: usize,
    last: NodeId,
    /// Another operation may continue it.
    open: bool,
    /// Something leaves it; whether a stream does.
    used: Option<bool>,
}

struct Builder<'a> {
    notation: &'a Notation<'a>,
    options: &'a SvgOptions,
    homes: Vec<Home>,
    steps: Vec<bool>,
    frames: Vec<Option<usize>>,
    headers: Vec<Header>,
    cards: Vec<Draft>,
    card_of: Vec<Option<usize>>,
    collapsed: HashMap<ScopeId, usize>,
    pills: HashSet<(usize, u32)>,
    wires: Vec<Wire>,
    known: HashMap<(usize, usize), usize>,
}

impl Scene {
    /// Finds the cards, frames and wires of a graph.
    pub fn new(notation: &Notation<'_>, options: &SvgOptions) -> Scene {
        let mut builder = Builder::new(notation, options);
        for id in notation.graph.ids() {
            let card = builder.card(id);
            builder.card_of[id.index()] = card;
            builder.wires_to(id);
        }
        builder.finish()
    }
}

impl<'a> Builder<'a> {
    fn new(notation: &'a Notation<'a>, options: &'a SvgOptions) -> Builder<'a> {
        let mut builder = Builder {
            notation,
            options,
            homes: Vec::new(),
            steps: steps(notation.graph),
            frames: Vec::new(),
            headers: Vec::new(),
            cards: Vec::new(),
            card_of: vec![None; notation.graph.len()],
            collapsed: HashMap::new(),
            pills: HashSet::new(),
            wires: Vec::new(),
            known: HashMap::new(),
        };
        builder.scopes();
        builder
    }

    /// Gives every scope a frame, or the scope whose card it is part of.
    fn scopes(&mut self) {
        let graph = self.notation.graph;
        let mut depth = Vec::with_capacity(graph.scopes.len());
        for (at, scope) in graph.scopes.iter().enumerate() {
            let parent = scope.parent.map(|parent| parent.index()).filter(|parent| *parent < at);
            let own = parent.map_or(0, |parent| depth[parent] + usize::from(scope.block.is_none()));
            depth.push(own);
            let outer = parent.map(|parent| self.homes[parent]);
            let home = match outer {
                Some(Home::Collapsed(root)) => Home::Collapsed(root),
                _ if self.options.depth.is_some_and(|most| own > most) => Home::Collapsed(ScopeId(at as u32)),
                Some(Home::Frame(frame)) if self.steps[at] => Home::Frame(frame),
                Some(Home::Frame(frame)) => self.frame(Some(frame), self.header(ScopeId(at as u32))),
                None => self.frame(None, Header::default()),
            };
            self.homes.push(home);
        }
        if self.homes.is_empty() {
            self.frame(None, Header::default());
        }
    }

    fn frame(&mut self, parent: Option<usize>, header: Header) -> Home {
        self.frames.push(parent);
        self.headers.push(header);
        Home::Frame(self.frames.len() - 1)
    }

    fn header(&self, id: ScopeId) -> Header {
        let scope = self.notation.graph.scope(id);
        match scope.block {
            Some(block) => {
                Header { text: self.repeat(&scope.name, self.notation.graph.block(block)), block: true }
            }
            None => Header { text: shorten(&scope.name), block: false },
        }
    }

    fn repeat(&self, name: &str, block: &Block) -> String {
        let shared = if block.shared { ", shared weights" } else { "" };
        shorten(&format!("{name} × {}{shared}", self.notation.dim(&block.count)))
    }

    /// The card an operation is drawn in; none for what is written where it is used.
    fn card(&mut self, id: NodeId) -> Option<usize> {
        let node = self.notation.graph.node(id);
        if is_leaf(&node.op) {
            return None;
        }
        if let Op::Exit(_) = node.op {
            return self.card_of[node.operands.first()?.index()];
        }
        match self.homes.get(node.scope.index()).copied().unwrap_or(Home::Frame(0)) {
            Home::Collapsed(root) => Some(self.part(id, root)),
            Home::Frame(frame) => Some(self.step(id, frame)),
        }
    }

    /// A node of a definition that is drawn as one card.
    fn part(&mut self, id: NodeId, root: ScopeId) -> usize {
        let card = match self.collapsed.get(&root) {
            Some(card) => *card,
            None => {
                let parent = self.notation.graph.scope(root).parent.map(|parent| self.homes[parent.index()]);
                let frame = if let Some(Home::Frame(frame)) = parent { frame } else { 0 };
                let title = self.header(root).text;
                let card = self.push(Face { title, ..Face::new(Look::Steps) }, frame, id, false);
                self.collapsed.insert(root, card);
                card
            }
        };
        self.cards[card].last = id;
        self.add_pills(card, id, root);
        card
    }

    /// Shows the parameters that a node of a collapsed definition uses.
    fn add_pills(&mut self, card: usize, id: NodeId, root: ScopeId) {
        let graph = self.notation.graph;
        for (position, operand) in graph.node(id).operands.iter().enumerate() {
            let Some(param) = graph.as_param(*operand) else { continue };
            let role = site_role(self.notation, id, position, param);
            let small = matches!(role.as_deref(), Some("vector-like" | "scalar-like" | "finite"));
            if (small && self.options.compact) || !self.pills.insert((card, param.0)) {
                continue;
            }
            let path = &graph.param(param).path;
            let inside = format!("{}.", self.notation.path(root));
            let pill = Word::Pill(shorten(path.strip_prefix(&inside).unwrap_or(path)), role);
            let lines = &mut self.cards[card].face.lines;
            match lines
                .last_mut()
                .filter(|line| line_width(line) + line_width(std::slice::from_ref(&pill)) < PILLS)
            {
                Some(line) => line.push(pill),
                None => lines.push(vec![pill]),
            }
        }
    }

    /// A node that is drawn itself: in the card that it continues, or in a new one.
    fn step(&mut self, id: NodeId, frame: usize) -> usize {
        let node = self.notation.graph.node(id);
        let words = line(self.notation, id, self.options);
        if let Some(card) = self.continued(id, frame) {
            let draft = &mut self.cards[card];
            draft.face.lines.push(words);
            draft.last = id;
            return card;
        }
        let look = self.look(node);
        let mut face = Face::new(look);
        if !matches!(look, Look::Sign(_)) {
            face.lines.push(words);
        }
        self.push(face, frame, id, look == Look::Steps)
    }

    fn push(&mut self, face: Face, frame: usize, last: NodeId, open: bool) -> usize {
        self.cards.push(Draft { face, frame, last, open, used: None });
        self.cards.len() - 1
    }

    /// The card that ends with the only operand of a node, if nothing else uses that operand. Changes of an axis's form are drawn
    /// with what they change, even where a definition ends.
    fn continued(&self, id: NodeId, frame: usize) -> Option<usize> {
        let graph = self.notation.graph;
        let node = graph.node(id);
        let mut flows = node.operands.iter().filter(|operand| !is_leaf(&graph.node(**operand).op));
        let (only, None) = (*flows.next()?, flows.next()) else { return None };
        let card = self.card_of[only.index()]?;
        let draft = &self.cards[card];
        let alone = graph.consumers(only).nth(1).is_none();
        let near = draft.frame == frame || (is_reform(&node.op) && self.same_block(only, id));
        let open = draft.open && draft.last == only && draft.face.lines.len() < LINES;
        (open && alone && near && !is_given(&node.op)).then_some(card)
    }

    fn same_block(&self, left: NodeId, right: NodeId) -> bool {
        let graph = self.notation.graph;
        graph.block_of(graph.node(left).scope) == graph.block_of(graph.node(right).scope)
    }

    fn look(&self, node: &Node) -> Look {
        let graph = self.notation.graph;
        let bare = node.operands.len() > 1 && node.operands.iter().all(|id| !is_leaf(&graph.node(*id).op));
        match &node.op {
            Op::Data(_) => Look::Data,
            Op::Carry(_) => Look::Carry,
            Op::Add(_) if bare => Look::Sign("+"),
            Op::Contract { einsum, multiplier: Multiplier::Free }
                if bare && einsum.contracted().is_empty() =>
            {
                Look::Sign("×")
            }
            _ => Look::Steps,
        }
    }

    /// Draws what a node needs into its card.
    fn wires_to(&mut self, id: NodeId) {
        let graph = self.notation.graph;
        let node = graph.node(id);
        let (Some(to), false) = (self.card_of[id.index()], matches!(node.op, Op::Exit(_))) else { return };
        let skip = skip(graph, node);
        for operand in &node.operands {
            let Some(from) = self.card_of[operand.index()].filter(|from| *from != to) else { continue };
            let stream = skip == Some(*operand)
                || matches!(node.op, Op::Carry(_))
                || matches!(graph.node(*operand).op, Op::Exit(_));
            let at = *self.known.entry((from, to)).or_insert(self.wires.len());
            match self.wires.get_mut(at) {
                Some(wire) => wire.stream |= stream,
                None => self.wires.push(Wire { from, to, stream }),
            }
            let used = &mut self.cards[from].used;
            *used = Some(used.unwrap_or(false) || stream);
        }
    }
}

/// Scopes that only give an axis another form: one operation, nothing else.
fn steps(graph: &Graph) -> Vec<bool> {
    let mut reforms = vec![0usize; graph.scopes.len()];
    let mut others = vec![0usize; graph.scopes.len()];
    for node in graph.ids().map(|id| graph.node(id)) {
        let counts = if is_reform(&node.op) { &mut reforms } else { &mut others };
        counts[node.scope.index()] += 1;
    }
    graph.params.iter().for_each(|param| others[param.scope.index()] += 1);
    graph.scopes.iter().filter_map(|scope| scope.parent).for_each(|parent| others[parent.index()] += 1);
    reforms.into_iter().zip(others).map(|(reforms, others)| reforms == 1 && others == 0).collect()
}

fn is_given(op: &Op) -> bool {
    matches!(op, Op::Data(_) | Op::Carry(_))
}

/// The operand of a sum that is a residual stream: the first made of those that something else uses too.
fn skip(graph: &Graph, node: &Node) -> Option<NodeId> {
    let Op::Add(_) = node.op else { return None };
    let shared = node.operands.iter().filter(|id| graph.consumers(**id).nth(1).is_some());
    shared.min().copied().filter(|_| node.operands.len() > 1)
}
