//! What holds of every graph that the lowering makes.

use std::collections::HashMap;

use mupc::dim::Dim;
use mupc::graph::{Einsum, Gate, Graph, NodeId, Norm, Op};

/// Panics if a graph is not well formed.
pub fn check(graph: &Graph) {
    for id in graph.ids() {
        check_node(graph, id);
    }
    check_blocks(graph);
    assert!(!graph.outputs.is_empty(), "a network has outputs");
    let loss = graph.loss.expect("a network has a loss");
    assert!(graph.node(loss).shape.is_empty(), "the loss is a number");
    let mut paths: Vec<&str> = graph.params.iter().map(|param| param.path.as_str()).collect();
    paths.sort_unstable();
    assert!(paths.windows(2).all(|pair| pair[0] != pair[1]), "paths are unique: {paths:?}");
}

fn shapes(graph: &Graph, id: NodeId) -> Vec<&[Dim]> {
    graph.node(id).operands.iter().map(|operand| graph.node(*operand).shape.as_slice()).collect()
}

fn check_node(graph: &Graph, id: NodeId) {
    let node = graph.node(id);
    let from = shapes(graph, id);
    let place = format!("%{} {:?}", id.index(), node.op);
    assert!(node.shape.len() <= 16, "{place}");
    match &node.op {
        Op::Contract { einsum, .. } => {
            assert!((1..=2).contains(&from.len()), "{place}");
            check_einsum(einsum, &from, &node.shape, None, &place);
        }
        Op::Add(einsum) => {
            assert!(from.len() >= 2 && einsum.contracted().is_empty(), "{place}");
            check_einsum(einsum, &from, &node.shape, None, &place);
        }
        Op::Lookup { axis, einsum } => {
            assert_eq!(from.len(), 2, "{place}");
            assert_eq!(einsum.contracted().len(), 1, "{place}");
            assert_eq!(einsum.contracted()[0], einsum.inputs[0][*axis], "{place}");
            check_einsum(einsum, &from, &node.shape, Some(*axis), &place);
        }
        Op::Gate(Gate::TopK { axis, count }) => {
            assert_eq!(from, [&node.shape[..]], "{place}");
            assert!(*axis < node.shape.len() && *count >= 1, "{place}");
        }
        Op::Scale(_) | Op::Map(_) | Op::Gate(_) | Op::Carry(_) | Op::Exit(_) => {
            assert_eq!(from, [&node.shape[..]], "{place}")
        }
        Op::Normalize { norm, axes } => {
            assert_eq!(from, [&node.shape[..]], "{place}");
            assert!(
                (!axes.is_empty() || *norm == Norm::Batch)
                    && axes.iter().all(|axis| *axis < node.shape.len()),
                "{place}"
            );
        }
        Op::Softmax { axis, .. } => {
            assert_eq!(from, [&node.shape[..]], "{place}");
            assert!(*axis < node.shape.len(), "{place}");
        }
        Op::Max { axes } => assert_eq!(from[0].len(), node.shape.len() + axes.len(), "{place}"),
        Op::Split { axis, parts } => {
            let product =
                node.shape[*axis..*axis + *parts].iter().try_fold(Dim::one(), |all, dim| all.mul(dim));
            assert_eq!(product.as_ref(), Some(&from[0][*axis]), "{place}");
            assert_eq!(from[0].len() + parts, node.shape.len() + 1, "{place}");
        }
        Op::Merge { axis, parts } => {
            let product = from[0][*axis..*axis + *parts].iter().try_fold(Dim::one(), |all, dim| all.mul(dim));
            assert_eq!(product.as_ref(), Some(&node.shape[*axis]), "{place}");
            assert_eq!(from[0].len() + 1, node.shape.len() + parts, "{place}");
        }
        Op::Step { block, axis } => {
            let mut rest = from[0].to_vec();
            assert_eq!(rest.remove(*axis), graph.block(*block).count, "{place}");
            assert_eq!(rest, node.shape, "{place}");
            let nodes = &graph.block(*block).nodes;
            assert!(nodes.contains(&(id.index() as u32)), "{place}");
            assert!(node.operands[0].index() < nodes.start as usize, "{place}");
        }
        Op::Collect { block, axis } => {
            let mut rest = node.shape.clone();
            assert_eq!(rest.remove(*axis), graph.block(*block).count, "{place}");
            assert_eq!(from, [&rest[..]], "{place}");
            let end = graph.block(*block).nodes.end as usize;
            assert!(node.operands[0].index() < end && end <= id.index(), "{place}");
        }
        Op::Pick { axis, .. } => {
            let mut rest = from[0].to_vec();
            rest.remove(*axis);
            assert_eq!(rest, node.shape, "{place}");
        }
        Op::Window { axis, size, .. } => {
            assert_eq!(from[0].len() + 1, node.shape.len(), "{place}");
            assert!(*axis < from[0].len() && node.shape.last() == Some(size), "{place}");
        }
        Op::Concat { axis } => assert!(*axis < node.shape.len(), "{place}"),
        Op::RelativeBucket(buckets) => {
            assert_eq!((from.len(), node.shape.len()), (0, 2), "{place}");
            assert!(buckets.exact() >= 1 && buckets.farthest > buckets.exact(), "{place}");
        }
        Op::Range => assert_eq!((from.len(), node.shape.len()), (0, 1), "{place}"),
        Op::Data(_) | Op::Param(_) | Op::Constant(_) => assert!(from.is_empty(), "{place}"),
    }
}

/// Every label has one length, no operand has it twice, and the result's labels are among the operands'.
fn check_einsum(einsum: &Einsum, from: &[&[Dim]], shape: &[Dim], picked: Option<usize>, place: &str) {
    let mut lengths = HashMap::new();
    assert_eq!(einsum.inputs.len(), from.len(), "{place}");
    for (operand, (labels, own)) in einsum.inputs.iter().zip(from).enumerate() {
        assert_eq!(labels.len(), own.len(), "{place}");
        for (axis, (label, dim)) in labels.iter().zip(*own).enumerate() {
            assert!(!labels[..axis].contains(label), "twice on one operand: {place}");
            let known = lengths.entry(*label).or_insert(dim);
            assert_eq!(*known, dim, "operand {operand} axis {axis} of {place}");
        }
    }
    assert_eq!(einsum.output.len(), shape.len(), "{place}");
    for (label, dim) in einsum.output.iter().zip(shape) {
        assert_eq!(lengths.get(label), Some(&dim), "{place}");
    }
    if let Some(axis) = picked {
        assert!(!einsum.inputs[1].contains(&einsum.inputs[0][axis]), "{place}");
    }
}

fn check_blocks(graph: &Graph) {
    for (at, block) in graph.blocks.iter().enumerate() {
        let collects = |id| matches!(graph.node(id).op, Op::Collect { block, .. } if block.index() == at);
        assert!(
            !block.carried.is_empty() || (block.letter.is_some() && graph.ids().any(collects)),
            "block {at} carries or collects something"
        );
        for (first, carried) in (block.nodes.start..).zip(&block.carried) {
            assert_eq!(carried.carry.index() as u32, first, "carries come first");
            assert!(
                block.nodes.contains(&(carried.next.index() as u32))
                    || carried.next.index() < block.nodes.start as usize
            );
            assert!(carried.enter.index() < block.nodes.start as usize);
            assert!(carried.exit.index() >= block.nodes.end as usize);
            assert_eq!(graph.node(carried.next).shape, graph.node(carried.carry).shape);
        }
        if let Some(parent) = block.parent {
            let outer = &graph.block(parent).nodes;
            assert!(parent.index() < at && outer.start <= block.nodes.start && block.nodes.end <= outer.end);
        }
    }
    assert!(
        graph.blocks.windows(2).all(|pair| pair[0].nodes.start <= pair[1].nodes.start),
        "in the order of first nodes"
    );
}
