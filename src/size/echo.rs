//! How much of a tensor's change lines up with what acts on it next.
//!
//! A weight answers with its operator norm only to the part of a change that came back through this very weight. The measure of it is
//! I(x), the inner product of gradient and change: training moves tensors against their gradients, so that whatever moves x makes
//! <G(x), D(x)> as large as it says, and the chain rule takes it along: what moves h through x has the inner product <G_h(x), D(x)> with the
//! gradient of h, where G_h(x) is the part of x's gradient that comes through h. Only that share of I(x) lines up; the rest of the change is to the
//! weight as any other vector: m s N^(1/2) D(x).

use smallvec::SmallVec;

use super::Size;
use super::parity::Summation;
use super::term::{Factor, Quantity, Rule, Terms, coherent, product, random};
use crate::graph::{Graph, NodeId};
use crate::rational::Rational;

/// Per node and operand: the share of the operand's inner product that goes through the node.
pub type Shares = Vec<SmallVec<[Size; 2]>>;

/// (G_h(x)/G(x))^2, at most 1: the share of <G(x), D(x)> that goes through one use of x, if D(x) points against the gradient.
pub fn share(through: &Size, whole: &Size) -> Size {
    through.div(whole).min(Size::one()).pow(Rational::integer(2))
}

/// What is known of inner products while changes are found.
#[derive(Clone, Copy)]
pub struct Echo<'a> {
    /// The graph.
    pub graph: &'a Graph,
    /// How every contraction sums at initialization: what adds up randomly there does so for changes that line up with nothing.
    pub sums: &'a [Summation],
    /// I of the nodes that have been walked.
    pub work: &'a [Size],
    /// Which part of it goes where.
    pub shares: &'a Shares,
    /// The gradient of every node.
    pub gradient: &'a [Size],
    /// The number of entries of every node.
    pub entries: &'a [Size],
}

impl Echo<'_> {
    /// The part of an operand's I that goes through a node.
    pub fn through(&self, id: NodeId, at: usize) -> Size {
        let source = self.graph.node(id).operands[at];
        let share = self.shares[id.index()].get(at);
        share.map_or(Size::Zero, |share| self.work[source.index()].mul(share))
    }

    /// The change of a node that has the inner product with its gradient which one operand brings along.
    fn aligned(&self, id: NodeId, at: usize) -> Size {
        self.through(id, at).div(&self.entries[id.index()].mul(&self.gradient[id.index()]))
    }

    /// The terms of a product through the change of one factor: as at initialization, and what lines up, at most `most`.
    pub fn terms(
        &self,
        id: NodeId,
        at: usize,
        rule: Rule,
        (factors, most): (&[Factor], Factor),
        terms: &mut impl Terms,
    ) {
        let sum = &self.sums[id.index()];
        let mut all: SmallVec<[Factor; 5]> = factors.iter().cloned().collect();
        let any = random(&sum.random).mul(&coherent(&sum.coherent));
        if sum.aligned.is_some() || any >= most.1 {
            all.push(most);
            return terms.term(rule, &all);
        }
        let bound = product(factors).mul(&most.1);
        all.push((Quantity::Random, any));
        terms.term(rule, &all);
        let source = self.graph.node(id).operands[at];
        terms.term(rule, &[(Quantity::Echo(source), self.aligned(id, at).min(bound))]);
    }
}
