//! The largest stable learning rate if all parameters share one.
