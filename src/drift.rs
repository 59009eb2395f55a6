//! Networks of finite width against their infinite-width limits: how far the tangent kernel is from its limit, how far training moves it and
//! the features, how long a linear or quadratic model tracks the network, and how much the start fluctuates.
//!
//! | file | what is in it |
//! |---|---|
//! | [`request`] | what is asked, and the networks of all sizes, ready to start |
//! | [`descent`] | full-batch gradient descent on the squared error, with an output scale |
//! | [`model`] | the linear and the quadratic model beside the network |
//! | [`fluctuation`] | moments over draws of activations and of the kernel, with the exact law for relu perceptrons |
//! | [`study`] | the runs of each question, and what they add up to |
//! | [`record`] | what was found, as plain data |
//!
//! Everything is trained by gradient descent without momentum on L = 1/(2B) sum (f - f_0 - y)^2 over one batch of B examples, so that kernels and
//! targets govern the movement at every width. The kernel counts every weight with its learning rate over the base rate: it is the kernel by which training moves the output, and
//! the usual NTK where all rates are equal.

pub mod descent;
pub mod fluctuation;
pub mod model;
pub mod record;
pub mod request;
pub mod study;
