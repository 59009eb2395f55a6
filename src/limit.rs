//! Limits beyond kernels: how signals go through deep networks, and what wide networks that learn features become.
//!
//! | file | what is in it |
//! |---|---|
//! | [`maps`] | the variance map and the correlation map of a layer, their fixed points, slopes and depth scales |
//! | [`block`] | which layer a spec is made of |
//! | [`phase`] | the diagram over weight and bias variance: ordered, chaotic, and the edge between them |
//! | [`trainable`] | deep networks of that layer, trained on the digits: which of them learn |
//! | [`layers`] | whether a spec is a network of two layers, and which |
//! | [`linear`] | the muP limit of a network with one linear hidden layer, as an exact recursion |
//! | [`particles`] | the mean-field limit of a network with one hidden layer, by quasi-Monte Carlo particles |
//! | [`finite`] | the networks of finite width that these are the limits of, and how fast they get there |
//! | [`words`], [`embedding`] | word vectors in the kernel limit and under muP |
//!
//! Architecture invariant: a limit is computed without the finite networks it is compared with; `finite`, `trainable` and `embedding` run `numeric`, the
//! others do not.

pub mod block;
pub mod embedding;
pub mod finite;
pub mod layers;
pub mod linear;
pub mod maps;
pub mod particles;
pub mod phase;
pub mod problem;
pub mod record;
pub mod trainable;
pub mod words;
