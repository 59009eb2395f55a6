//! `repeat t over seq`: every repetition reads its own entry of an axis, and may leave one behind.
//!
//! Inside the body the letter stands for the number of the repetition, not for an axis. `x[t, i]` reads one entry of a tensor from
//! outside ([`Op::Step`]); `y[t, i] = ...` makes one entry of a tensor that exists after the body only ([`Op::Collect`]). What is
//! computed inside has one value per repetition and no axis to go along, so the letter cannot index it.

use crate::diagnostic::{Diagnostic, Stage};
use crate::dim::Dim;
use crate::graph::{BlockId, NodeId, Op, Operands};
use crate::source::Span;
use crate::syntax::ast::{Assign, Ident, Index, IndexKind, Repeat};

use super::environment::{Role, Tensor, Value};
use super::{Lowered, Lowering, Reported};

/// A repetition over the entries of an axis, while its body is lowered.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    letter: &'a Ident,
    block: BlockId,
    /// How many entries; none if that was reported.
    length: Option<(Dim, Span)>,
    collected: Vec<Collected<'a>>,
}

/// A tensor that gets an entry in every repetition.
#[derive(Debug)]
pub(super) struct Collected<'a> {
    ident: &'a Ident,
    /// The axis of the entries.
    axis: usize,
    /// The entry of one repetition.
    entry: Lowered<NodeId>,
}

/// The letter of an index that is one.
pub(super) fn letter_of(index: &Index) -> Option<&str> {
    match &index.kind {
        IndexKind::Axis(letter) | IndexKind::Sized(letter, _) => Some(letter),
        IndexKind::Rest | IndexKind::Group(_) | IndexKind::At(_) => None,
    }
}

/// Whether an assignment collects what it assigns, in a repetition with this letter.
pub(super) fn collects(assign: &Assign, letter: Option<&Ident>) -> bool {
    let mut indices = assign.indices.iter().flatten();
    letter.is_some_and(|letter| indices.any(|index| letter_of(index) == Some(&letter.name)))
}

impl<'a> Lowering<'a> {
    /// Opens the repetition's letter, if it has one.
    pub(super) fn open_scan(&mut self, repeat: &'a Repeat, block: BlockId, length: Option<Dim>) {
        let Some(letter) = &repeat.letter else { return };
        if let Some(first) = self.scan_named(&letter.name).map(|scan| scan.letter.span) {
            let error = Diagnostic::new(Stage::Names, format!("the letter `{}` is taken", letter.name))
                .at(letter.span, "a repetition inside")
                .at(first, "counts the steps of this one already")
                .help("use another letter");
            self.report(error);
        }
        let length = length.map(|length| (length, repeat.count.span));
        self.frame_mut().scans.push(Scan { letter, block, length, collected: Vec::new() });
    }

    /// Closes it, and gives what was collected.
    pub(super) fn close_scan(&mut self, repeat: &'a Repeat) -> Vec<Collected<'a>> {
        let scan = repeat.letter.as_ref().and_then(|_| self.frame_mut().scans.pop());
        let collected = scan.map(|scan| scan.collected).unwrap_or_default();
        for one in &collected {
            self.frame_mut().collecting.remove(one.ident.name.as_str());
        }
        collected
    }

    /// Whether the innermost repetition with a letter has collected anything.
    pub(super) fn has_collected(&self) -> bool {
        self.frame().scans.last().is_some_and(|scan| !scan.collected.is_empty())
    }

    fn scan_named(&self, letter: &str) -> Option<&Scan<'a>> {
        self.frame().scans.iter().rev().find(|scan| scan.letter.name == letter)
    }

    /// Whether an index is the letter of a repetition.
    pub(super) fn is_step(&self, index: &Index) -> bool {
        letter_of(index).is_some_and(|letter| self.scan_named(letter).is_some())
    }

    /// Whether a letter counts the steps of a repetition.
    pub(super) fn counts_steps(&self, letter: &str) -> bool {
        self.scan_named(letter).is_some()
    }

    /// What the letter of a repetition indexes must come from outside.
    pub(super) fn check_outside(&mut self, node: NodeId, indices: &[Index]) -> Lowered<()> {
        for index in indices {
            let scan = letter_of(index).and_then(|letter| self.scan_named(letter));
            let Some((letter, block)) = scan.map(|scan| (scan.letter, scan.block)) else { continue };
            if node.index() as u32 >= self.graph.block(block).nodes.start {
                return Err(self.inside(node, letter, index.span));
            }
        }
        Ok(())
    }

    /// The repetition that an index counts: what it indexes must have as many entries.
    pub(super) fn step(&mut self, length: &Dim, index: &'a Index) -> Lowered<BlockId> {
        let Some(scan) = letter_of(index).and_then(|letter| self.scan_named(letter)) else {
            return Err(Reported);
        };
        let (letter, block, count) = (scan.letter, scan.block, scan.length.clone());
        let Some((count, place)) = count else { return Err(Reported) };
        if let IndexKind::Sized(_, expr) = &index.kind {
            let said = self.length(expr)?;
            self.check_count(letter, &said, (&count, place), expr.span)?;
        }
        self.check_count(letter, length, (&count, place), index.span)?;
        Ok(block)
    }

    fn check_count(&mut self, letter: &Ident, ours: &Dim, count: (&Dim, Span), span: Span) -> Lowered<()> {
        if ours == count.0 {
            return Ok(());
        }
        let [ours, theirs] = [ours, count.0].map(|dim| self.dim_text(dim));
        let error = Diagnostic::new(Stage::Shape, format!("index `{}` has two lengths", letter.name))
            .at(span, format!("`{ours}` here"))
            .at(count.1, format!("but the repetition goes over `{theirs}` entries"));
        Err(self.report(error))
    }

    fn inside(&mut self, node: NodeId, letter: &Ident, span: Span) -> Reported {
        let carried = matches!(self.graph.node(node).op, Op::Carry(_));
        let what = if carried { "it is carried from step to step" } else { "it is computed in every step" };
        let source = self.graph.node(node).span;
        let mut error = Diagnostic::new(
            Stage::Shape,
            format!("`{}` cannot index what this repetition computes itself", letter.name),
        )
        .at(span, format!("inside there is one value per step, without an axis `{}`", letter.name))
        .at(letter.span, "the letter counts the steps of this repetition");
        if source != span && !self.in_prelude(source.file) {
            error = error.at(source, what);
        }
        let help = "leave the letter out, or compute it before the repetition";
        self.report(error.help(help))
    }

    /// The letter of a repetition stands for one entry: it cannot be laid out with others.
    pub(super) fn check_grouped(&mut self, index: &Index) -> Lowered<()> {
        let Some(letter) = letter_of(index).and_then(|letter| self.scan_named(letter)).map(|own| own.letter)
        else {
            return Ok(());
        };
        let message = format!("`{}` cannot stand in a group", letter.name);
        let error = Diagnostic::new(Stage::Shape, message)
            .at(index.span, "one entry, not an axis")
            .at(letter.span, "the letter counts the steps of this repetition")
            .help("split or merge the axis outside of the repetition");
        Err(self.report(error))
    }

    /// Whether an assignment collects, and along which of its indices. A wrong one leaves poison behind the repetition.
    pub(super) fn collecting(&mut self, assign: &'a Assign) -> Lowered<Option<usize>> {
        let found = self.collected_index(assign);
        let named = assign.indices.iter().flatten().flat_map(|index| match &index.kind {
            IndexKind::Group(parts) => parts.iter(),
            _ => std::slice::from_ref(index).iter(),
        });
        let letter = named.filter_map(letter_of).find(|letter| self.counts_steps(letter));
        if let (Err(Reported), Some(letter)) = (&found, letter) {
            let poison = Collected { ident: &assign.target, axis: 0, entry: Err(Reported) };
            let mut scans = self.frame_mut().scans.iter_mut().rev();
            if let Some(scan) = scans.find(|scan| scan.letter.name == letter) {
                scan.collected.push(poison);
            }
        }
        found
    }

    fn collected_index(&mut self, assign: &'a Assign) -> Lowered<Option<usize>> {
        let indices = assign.indices.as_deref().unwrap_or_default();
        for index in indices {
            if let IndexKind::Group(parts) = &index.kind {
                parts.iter().try_for_each(|part| self.check_grouped(part))?;
            }
        }
        let steps: Vec<usize> = (0..indices.len()).filter(|at| self.is_step(&indices[*at])).collect();
        let name = assign.target.name.as_str();
        if let Some(first) = self.frame().collecting.get(name).copied() {
            let error = Diagnostic::new(Stage::Names, format!("`{name}` is collected by this repetition"))
                .at(assign.target.span, "assigned again here")
                .at(first, "every step gives its entry here")
                .help("use another name for what one step computes");
            return Err(self.report(error));
        }
        match steps[..] {
            [] => Ok(None),
            [at] => self.check_collecting(assign, &indices[at]).map(|()| Some(at)),
            [_, second, ..] => {
                let label = "the entries of one repetition at a time can be collected";
                let message = "two letters of repetitions on the left";
                Err(self.shape_error(message, indices[second].span, label))
            }
        }
    }

    fn check_collecting(&mut self, assign: &'a Assign, index: &Index) -> Lowered<()> {
        let Some(scan) = letter_of(index).and_then(|letter| self.scan_named(letter)) else {
            return Err(Reported);
        };
        let (letter, block) = (scan.letter, scan.block);
        let name = &assign.target.name;
        if self.frame().block != Some(block) {
            let error = Diagnostic::new(Stage::Names, "a repetition collects in its own body only")
                .at(index.span, "inside of another repetition")
                .at(letter.span, "the letter counts the steps of this one")
                .help("give the step's value a name, and collect it behind the inner braces");
            return Err(self.report(error));
        }
        let start = self.graph.block(block).nodes.start;
        let known = self.find(name).map(|known| (&known.value, known.span));
        match known {
            Some((Value::Tensor(tensor), span)) if tensor.node.index() as u32 >= start => {
                let error = Diagnostic::new(
                    Stage::Names,
                    format!("`{name}` is a tensor of the body and cannot be collected"),
                )
                .at(assign.target.span, "collected here")
                .at(span, "but assigned as a whole here")
                .help("choose another name for what is collected");
                Err(self.report(error))
            }
            _ => Ok(()),
        }
    }

    /// Notes the entry that one step gives, `at` being the index of the letter on the left.
    pub(super) fn collect(&mut self, assign: &'a Assign, at: usize, value: Lowered<Value>) {
        let entry = value.and_then(|value| self.as_tensor(value, assign.value.span));
        let entry = entry.map(|tensor| tensor.node);
        let indices = assign.indices.as_deref().unwrap_or_default();
        let behind_rest = indices[..at].iter().any(|index| index.kind == IndexKind::Rest);
        let axis = match &entry {
            Ok(node) if behind_rest => (self.shape(*node).len() + 1).saturating_sub(indices.len() - at),
            _ => at,
        };
        let ident = &assign.target;
        self.frame_mut().collecting.insert(&ident.name, ident.span);
        if let Some(scan) = self.frame_mut().scans.last_mut() {
            scan.collected.push(Collected { ident, axis, entry });
        }
    }

    /// The tensors that a repetition has collected, as they are after it.
    pub(super) fn leave_collected(&mut self, block: BlockId, collected: Vec<Collected<'a>>) {
        // An entry made of a carried stream depends on what the stream becomes.
        let mut streams = self.graph.block(block).carried.iter();
        let trained = streams.any(|stream| self.trained[stream.next.index()]);
        for one in collected {
            let value = match one.entry.and_then(|entry| self.stacked(block, entry, &one)) {
                Ok(node) => {
                    self.trained[node.index()] |= trained;
                    Value::Tensor(Tensor { node, axes: None, span: one.ident.span })
                }
                Err(Reported) => Value::Poison,
            };
            self.bind(one.ident, value, Role::Assigned);
        }
    }

    fn stacked(&mut self, block: BlockId, entry: NodeId, one: &Collected<'a>) -> Lowered<NodeId> {
        let mut shape = self.shape(entry).to_vec();
        shape.insert(one.axis.min(shape.len()), self.graph.block(block).count.clone());
        let op = Op::Collect { block, axis: one.axis };
        let node = self.append(op, Operands::from_slice(&[entry]), shape, one.ident.span)?;
        self.inherit_classes(entry, node);
        self.name_node(node, one.ident);
        Ok(node)
    }

    /// Refuses to read a tensor that is being collected.
    pub(super) fn check_complete(&mut self, ident: &Ident) -> Lowered<()> {
        let Some(first) = self.frame().collecting.get(ident.name.as_str()).copied() else { return Ok(()) };
        let error =
            Diagnostic::new(Stage::Names, format!("`{}` is complete after the repetition only", ident.name))
                .at(ident.span, "read here")
                .at(first, "every step gives its entry here")
                .help("give the value of one step a name of its own, and read that");
        Err(self.report(error))
    }
}
