//! Facts of other rooms that a picture of the graph can carry.

use crate::dim::Dim;
use crate::graph::{NodeId, ParamId};

/// Side tables to look at while drawing; a picture without them shows the graph alone.
#[derive(Clone, Copy)]
pub struct Annotations<'a> {
    /// The role of a parameter in words: `hidden`, or `input-like + output-like` if it is tied.
    pub role: &'a dyn Fn(ParamId) -> Option<String>,
    /// The role of the parameter that is this operand of a node.
    pub site: &'a dyn Fn(NodeId, usize) -> Option<&'static str>,
    /// The size of a tensor: `n^1/2`.
    pub size: &'a dyn Fn(NodeId) -> Option<String>,
    /// The name that the spec gives a length: `heads` for `n/64`.
    pub dim: &'a dyn Fn(&Dim) -> Option<String>,
}

impl Annotations<'static> {
    /// None at all.
    pub fn none() -> Annotations<'static> {
        Annotations { role: &|_| None, site: &|_, _| None, size: &|_| None, dim: &|_| None }
    }
}
