//! Limits beyond kernels: phases of deep networks, and wide networks that learn features.

#[cfg(target_os = "linux")]
#[path = "common/interrupt.rs"]
mod interrupt;
#[path = "common/page.rs"]
mod page;

#[path = "limits/cli.rs"]
mod cli;
#[path = "limits/features.rs"]
mod features;
#[path = "limits/maps.rs"]
mod maps;
#[path = "limits/trainability.rs"]
mod trainability;
