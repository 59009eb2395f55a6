//! One node: which instruction it is, or whose buffer it shares.

use smallvec::{SmallVec, smallvec};

use super::{BuildError, Building, Purpose};
use crate::graph::{Buckets, Func, Gate, NodeId, Norm, Op};
use crate::numeric::nest::{Nest, strides};
use crate::numeric::picking::Largest;
use crate::numeric::pointwise::{Access, Chain, Link};
use crate::numeric::program::{Input, Instruction, Kernel, Slot, Source, Value};
use crate::numeric::rows::Along;

/// A result, or why there is none.
pub(super) type Built = Result<Value, BuildError>;

impl Building<'_> {
    /// Emits a node and notes where its value is.
    pub(super) fn node(&mut self, id: NodeId) -> Result<(), BuildError> {
        let graph = self.graph;
        let needed = self.needed[id.index()];
        if !needed {
            return Ok(());
        }
        let before = self.program.instructions.len();
        let operands: SmallVec<[Value; 4]> = graph
            .node(id)
            .operands
            .iter()
            .filter_map(|operand| self.unrolled.known[operand.index()].clone())
            .collect();
        let value = self.operation(id, &operands)?;
        self.trace(id, &value, before);
        self.unrolled.known[id.index()] = Some(value);
        Ok(())
    }

    fn operation(&mut self, id: NodeId, operands: &[Value]) -> Built {
        let graph = self.graph;
        let node = graph.node(id);
        match &node.op {
            Op::Data(data) => self.data(*data, id),
            Op::Param(param) => self.weight(*param),
            Op::Constant(value) => {
                let shape = self.lengths(&node.shape)?;
                let count = shape.iter().product();
                let number = value.numerator() as f64 / value.denominator() as f64;
                self.constant(shape, vec![number; count])
            }
            Op::Range => {
                let shape = self.lengths(&node.shape)?;
                let numbers = (0..shape.iter().product::<usize>()).map(|at| at as f64).collect();
                self.constant(shape, numbers)
            }
            Op::RelativeBucket(buckets) => {
                let shape = self.lengths(&node.shape)?;
                let numbers = relative_buckets(*buckets, shape[0], shape[1]);
                self.constant(shape, numbers)
            }
            Op::Contract { einsum, multiplier } => {
                let factor = self.factor(id, multiplier);
                self.contract(einsum, factor, operands, id)
            }
            Op::Add(einsum) => self.add(id, einsum, operands),
            Op::Scale(multiplier) => {
                let factor = self.factor(id, multiplier);
                let value = self.view(id, &operands[0])?;
                Ok(Value { scale: value.scale * factor, ..value })
            }
            Op::Map(func) => self.map(*func, &operands[0]),
            Op::Normalize { norm, axes } => self.normalize(*norm, axes, &operands[0]),
            Op::Softmax { axis, log } => {
                let along = if *log { Along::LogSoftmax } else { Along::Softmax };
                self.along(along, &operands[0], &[*axis])
            }
            Op::Max { axes } => self.largest(axes, &operands[0]),
            Op::Lookup { axis, einsum } => self.lookup(*axis, einsum, operands),
            Op::Gate(gate) => self.gate(gate, &operands[0], id),
            Op::Carry(block) => {
                let value = self.unrolled.carried(id, *block).unwrap_or_else(|| operands[0].clone());
                self.view(id, &value)
            }
            Op::Exit(_) => self.view(id, &operands[0]),
            Op::Window { .. }
            | Op::Split { .. }
            | Op::Merge { .. }
            | Op::Pick { .. }
            | Op::Step { .. }
            | Op::Concat { .. }
            | Op::Collect { .. } => self.moving(id, operands),
        }
    }

    /// Operations that only move entries.
    fn moving(&mut self, id: NodeId, operands: &[Value]) -> Built {
        let graph = self.graph;
        let node = graph.node(id);
        match &node.op {
            Op::Window { axis, size, stride, dilation, padding } => {
                let (size, whole) = (self.length(size)?, |rate: &crate::rational::Rational| {
                    rate.to_integer().and_then(|rate| usize::try_from(rate).ok()).unwrap_or(1)
                });
                let shape = self.lengths(&node.shape)?;
                let rates = [whole(stride), whole(dilation), whole(padding)];
                self.window(*axis, size, rates, &shape, &operands[0])
            }
            Op::Split { .. } | Op::Merge { .. } => {
                let mut shape = self.lengths(&node.shape)?;
                let value = self.view(id, &operands[0])?;
                if value.batched {
                    shape.insert(0, self.batch);
                }
                Ok(Value { shape, ..value })
            }
            Op::Pick { axis, at } => {
                let length = operands[0].shape[*axis + usize::from(operands[0].batched)] as i64;
                let at = if *at < 0 { length + at } else { *at };
                self.pick(*axis, usize::try_from(at).unwrap_or(0), &operands[0])
            }
            Op::Step { block, axis } => self.pick(*axis, self.unrolled.step[block.index()], &operands[0]),
            Op::Concat { axis } => self.concat(*axis, operands),
            Op::Collect { axis, .. } => {
                let entries = self.unrolled.collected.remove(&id).unwrap_or_default();
                self.stack(*axis, &entries)
            }
            _ => self.view(id, &operands[0]),
        }
    }

    /// The same buffer under another name; a buffer of its own where the difference can be observed.
    fn view(&mut self, id: NodeId, value: &Value) -> Built {
        let source = self.graph.node(id).operands[0];
        let alone = self.readers[source.index()] <= 1;
        match self.purpose == Purpose::Observation && !alone && value.gradient {
            true => self.copied(value),
            false => Ok(value.clone()),
        }
    }

    fn data(&mut self, data: crate::graph::DataId, id: NodeId) -> Built {
        if let Some(known) = self.inputs.get(&data) {
            return Ok(known.clone());
        }
        let mut shape = self.lengths(&self.graph.node(id).shape)?;
        shape.insert(0, self.batch);
        let slot = self.slot(&shape, false)?;
        self.program.data.push((data, slot));
        let value = Value { slot, scale: 1.0, shape, batched: true, source: Source::Data, gradient: false };
        self.inputs.insert(data, value.clone());
        Ok(value)
    }

    pub(super) fn constant(&mut self, shape: SmallVec<[usize; 6]>, numbers: Vec<f64>) -> Built {
        let slot = self.slot(&shape, false)?;
        self.program.constants.push((slot, numbers));
        Ok(Value { slot, scale: 1.0, shape, batched: false, source: Source::Fixed, gradient: false })
    }

    /// Appends an instruction with a buffer for its result.
    pub(super) fn emit(
        &mut self,
        kernel: Kernel,
        operands: &[&Value],
        shape: SmallVec<[usize; 6]>,
        batched: bool,
    ) -> Built {
        let gradient = operands.iter().any(|operand| operand.gradient);
        let source = operands.iter().map(|operand| operand.source).max().unwrap_or(Source::Fixed);
        let output = self.slot(&shape, gradient)?;
        let input = |operand: &&Value| Input { slot: operand.slot, gradient: operand.gradient, fresh: false };
        let inputs = operands.iter().map(input).collect();
        let once = source == Source::Fixed;
        self.program.instructions.push(Instruction { kernel, inputs, output, once, backward: false });
        Ok(Value { slot: output, scale: 1.0, shape, batched, source, gradient })
    }

    /// A chain on an operand of the result's shape, and others.
    pub(super) fn chain(&mut self, links: SmallVec<[Link; 4]>, operands: &[&Value]) -> Built {
        let first = operands[0];
        let (shape, batched) = (first.shape.clone(), first.batched);
        self.emit(Kernel::Chain(Chain { links }), operands, shape, batched)
    }

    /// The value with its factor in the buffer.
    pub(super) fn scaled(&mut self, value: &Value) -> Built {
        match value.scale == 1.0 {
            true => Ok(value.clone()),
            false => self.chain(smallvec![Link::Scale(value.scale)], &[value]),
        }
    }

    /// A buffer of its own.
    pub(super) fn copied(&mut self, value: &Value) -> Built {
        let copy = self.chain(SmallVec::new(), &[value])?;
        Ok(Value { scale: value.scale, ..copy })
    }

    fn map(&mut self, func: Func, operand: &Value) -> Built {
        let mut links: SmallVec<[Link; 4]> = smallvec![Link::Map(func)];
        if operand.scale != 1.0 {
            links.insert(0, Link::Scale(operand.scale));
        }
        let gradient = operand.gradient && !func.law().jumps();
        self.chain(links, &[&Value { gradient, ..operand.clone() }])
    }

    fn gate(&mut self, gate: &Gate, operand: &Value, id: NodeId) -> Built {
        match gate {
            Gate::StopGradient => Ok(Value { gradient: false, ..operand.clone() }),
            Gate::Dropout(rate) if rate.is_zero() => self.view(id, operand),
            Gate::Dropout(rate) => {
                let keep = 1.0 - rate.numerator() as f64 / rate.denominator() as f64;
                let mask = self.program.masks;
                self.program.masks += 1;
                let (shape, batched) = (operand.shape.clone(), operand.batched);
                let masked = self.emit(Kernel::Dropout(keep, mask), &[operand], shape, batched)?;
                Ok(Value { scale: operand.scale, ..masked })
            }
            Gate::TopK { axis, count } => {
                let count = usize::try_from(*count).unwrap_or(1);
                self.along(Along::TopK(count), operand, &[*axis])
            }
            Gate::Causal => {
                let operand = self.scaled(operand)?;
                let rank = operand.shape.len();
                let (queries, keys) = (operand.shape[rank - 2], operand.shape[rank - 1]);
                let (shape, batched) = (operand.shape.clone(), operand.batched);
                self.emit(Kernel::Rows(Along::Causal { queries }, keys), &[&operand], shape, batched)
            }
        }
    }

    fn normalize(&mut self, norm: Norm, axes: &[usize], operand: &Value) -> Built {
        match norm {
            Norm::Standardize => self.along(Along::Standardize, operand, axes),
            Norm::Rms => self.along(Along::Rms, operand, axes),
            Norm::Batch => self.over_batch(axes, operand),
        }
    }

    /// An operation along some axes, which are brought to the end and back.
    fn along(&mut self, along: Along, operand: &Value, axes: &[usize]) -> Built {
        let shift = usize::from(operand.batched);
        let axes: SmallVec<[usize; 4]> = axes.iter().map(|axis| axis + shift).collect();
        self.along_axes(along, operand, &axes)
    }

    fn over_batch(&mut self, axes: &[usize], operand: &Value) -> Built {
        let shift = usize::from(operand.batched);
        let mut all: SmallVec<[usize; 4]> = axes.iter().map(|axis| axis + shift).collect();
        if operand.batched {
            all.insert(0, 0);
        }
        self.along_axes(Along::Standardize, operand, &all)
    }

    fn along_axes(&mut self, along: Along, operand: &Value, axes: &[usize]) -> Built {
        let operand = self.scaled(operand)?;
        let rank = operand.shape.len();
        let rest = (0..rank).filter(|axis| !axes.contains(axis));
        let order: SmallVec<[usize; 6]> = rest.chain(axes.iter().copied()).collect();
        let length = axes.iter().map(|axis| operand.shape[*axis]).product();
        let turned = self.turned(&operand, &order)?;
        let (shape, batched) = (turned.shape.clone(), turned.batched);
        let out = self.emit(Kernel::Rows(along, length), &[&turned], shape, batched)?;
        let mut back: SmallVec<[usize; 6]> = smallvec![0; rank];
        order.iter().enumerate().for_each(|(to, from)| back[*from] = to);
        let out = self.turned(&out, &back)?;
        Ok(Value { batched: operand.batched, ..out })
    }

    fn largest(&mut self, axes: &[usize], operand: &Value) -> Built {
        let operand = self.scaled(operand)?;
        let shift = usize::from(operand.batched);
        let gone = |axis: &usize| *axis >= shift && axes.contains(&(axis - shift));
        let own = strides(&operand.shape);
        let kept: SmallVec<[usize; 6]> = (0..own.len()).filter(|axis| !gone(axis)).collect();
        let shape: SmallVec<[usize; 6]> = kept.iter().map(|axis| operand.shape[*axis]).collect();
        let to = strides(&shape);
        let step = |axis: usize| kept.iter().position(|own| *own == axis).map_or(0, |at| to[at]);
        let loops = (0..own.len()).map(|axis| (operand.shape[axis], [step(axis), own[axis]]));
        let nest = Nest::new(loops.collect::<Vec<_>>(), [0; 2]);
        self.emit(Kernel::Largest(Largest { nest }), &[&operand], shape, operand.batched)
    }

    /// Slots that several operands share get buffers of their own, so that no gradient is borrowed twice.
    pub(super) fn distinct(&mut self, operands: &mut [Value]) -> Result<(), BuildError> {
        for at in 1..operands.len() {
            let slot: Slot = operands[at].slot;
            if operands[at].gradient && operands[..at].iter().any(|other| other.slot == slot) {
                operands[at] = self.copied(&operands[at])?;
            }
        }
        Ok(())
    }
}

/// The layout of all entries in order.
pub(super) fn whole(shape: &[usize]) -> Access {
    Access { every: 1, of: shape.iter().product::<usize>().max(1) }
}

/// Buckets of distances from every query to every key (Raffel et al. 2020, arXiv 1910.10683, section 2.1).
fn relative_buckets(buckets: Buckets, queries: usize, keys: usize) -> Vec<f64> {
    let pairs = (0..queries as i64).flat_map(|query| (0..keys as i64).map(move |key| key - query));
    pairs.map(|distance| bucket(buckets, distance) as f64).collect()
}

fn bucket(buckets: Buckets, distance: i64) -> i64 {
    let half = if buckets.bidirectional { buckets.count / 2 } else { buckets.count };
    let (first, far) = match (buckets.bidirectional, distance > 0) {
        (true, true) => (half, distance),
        (true, false) => (0, -distance),
        (false, _) => (0, (-distance).max(0)),
    };
    let exact = buckets.exact();
    if far < exact {
        return first + far;
    }
    let span = (buckets.farthest as f64 / exact.max(1) as f64).ln();
    let share = (far as f64 / exact.max(1) as f64).ln() / span.max(f64::MIN_POSITIVE);
    let wide = exact + (share * (half - exact) as f64) as i64;
    first + wide.min(half - 1)
}
