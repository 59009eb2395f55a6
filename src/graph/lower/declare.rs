//! Declarations: scale symbols, dims, data and parameters.

use std::sync::Arc;

use crate::dim::{Dim, Scalar, Symbol};
use crate::graph::{Data, DataId, Init, NodeId, Op, Operands, Param, ParamId, ScaleSymbol};
use crate::syntax::ast::{self, DataDecl, DataKind, Expr, ParamDecl, StmtKind};

use super::environment::{Binding, Role, Tensor, Value};
use super::{Lowered, Lowering, MOST_SCALES, Program};

impl<'a> Lowering<'a> {
    /// The scale symbols and dims of every text, before anything else: definitions see all of their file's.
    pub(super) fn constants(&mut self, program: &Program<'a>) {
        for unit in program.prelude.iter().chain(&program.used).chain([&program.main]) {
            self.frames[0].file = unit.file;
            for stmt in &unit.ast.statements {
                match &stmt.kind {
                    StmtKind::Scale(bindings) if unit.file == program.main.file => {
                        bindings.iter().for_each(|binding| self.scale(binding));
                    }
                    StmtKind::Dim(bindings) => bindings.iter().for_each(|binding| self.file_dim(binding)),
                    _ => {}
                }
            }
        }
    }

    fn scale(&mut self, binding: &'a ast::Binding) {
        let value = self.scale_symbol(binding).map_or(Value::Poison, Value::Number);
        self.bind_constant(&binding.name, value, Role::Scale);
    }

    fn scale_symbol(&mut self, binding: &'a ast::Binding) -> Lowered<Scalar> {
        self.check_new(&binding.name, "a second binding")?;
        let base = self.plain_number(&binding.value, "a base value")?;
        if !base.is_positive() {
            let message = "a base value must be positive";
            return Err(self.shape_error(message, binding.value.span, format!("this is {base}")));
        }
        if self.symbols.len() >= MOST_SCALES {
            let label = format!("more than {MOST_SCALES}");
            return Err(self.names_error("too many scale symbols", binding.name.span, label));
        }
        let symbol = Symbol(self.symbols.len() as u16);
        let (name, span) = (binding.name.name.clone(), binding.name.span);
        self.symbols.push(name.clone());
        self.bases.push(base);
        self.graph.scales.push(ScaleSymbol { name, base, span });
        Ok(Scalar::from(&Dim::symbol(symbol)))
    }

    fn file_dim(&mut self, binding: &'a ast::Binding) {
        let checked = self.check_new(&binding.name, "a second binding");
        let value = checked.and_then(|()| self.number(&binding.value, "a dim"));
        if let (Ok(number), true) = (&value, self.frame().file == self.frames[0].file) {
            let dim = Dim { coefficient: number.coefficient, powers: number.powers.clone() };
            let rational = number.roots.is_empty();
            self.graph.dims.extend(rational.then(|| (binding.name.name.clone(), dim)));
        }
        self.bind_constant(&binding.name, value.map_or(Value::Poison, Value::Number), Role::Dim);
    }

    fn bind_constant(&mut self, ident: &'a ast::Ident, value: Value, role: Role) {
        let binding = Binding { value, role, span: ident.span, name: &ident.name };
        let file = self.frame().file;
        self.constants.entry(file).or_default().entry(&ident.name).or_insert(binding);
    }

    /// A dim of a body.
    pub(super) fn local_dim(&mut self, binding: &'a ast::Binding) {
        if self.check_new(&binding.name, "a dim").is_ok() {
            let value = self.number(&binding.value, "a dim").map_or(Value::Poison, Value::Number);
            self.bind(&binding.name, value, Role::Dim);
        }
    }

    /// The lengths of a declared tensor.
    fn lengths(&mut self, dims: &'a [Expr]) -> Lowered<Vec<Dim>> {
        let lengths: Vec<Lowered<Dim>> = dims.iter().map(|dim| self.length(dim)).collect();
        lengths.into_iter().collect()
    }

    /// An input or a target.
    pub(super) fn data(&mut self, kind: DataKind, decl: &'a DataDecl) {
        if self.check_new(&decl.name, "data").is_err() {
            return;
        }
        let value = self.data_node(kind, decl).map_or(Value::Poison, |node| self.declared(node, &decl.name));
        self.bind(&decl.name, value, Role::Data);
    }

    fn data_node(&mut self, kind: DataKind, decl: &'a DataDecl) -> Lowered<NodeId> {
        let shape = self.lengths(&decl.dims);
        let classes = decl.classes.as_ref().map(|expr| self.length(expr)).transpose()?;
        let id = DataId(self.graph.data.len() as u32);
        let node = self.append(Op::Data(id), Operands::new(), shape?, decl.name.span)?;
        if let Some(classes) = &classes {
            self.classes.insert(node, classes.clone());
        }
        let (name, span) = (decl.name.name.clone(), decl.name.span);
        self.graph.data.push(Data { name, target: kind == DataKind::Target, classes, span });
        Ok(node)
    }

    /// A parameter.
    pub(super) fn param(&mut self, decl: &'a ParamDecl) {
        if self.check_new(&decl.name, "a parameter").is_err() {
            return;
        }
        let value = self.param_node(decl).map_or(Value::Poison, |node| self.declared(node, &decl.name));
        self.bind(&decl.name, value, Role::Param);
    }

    fn param_node(&mut self, decl: &'a ParamDecl) -> Lowered<NodeId> {
        let shape = self.lengths(&decl.dims);
        let init = self.init(decl);
        let (shape, init) = (shape?, init?);
        let id = ParamId(self.graph.params.len() as u32);
        let node = self.append(Op::Param(id), Operands::new(), shape.clone(), decl.name.span)?;
        let scope = self.frame().scope;
        let name = self.free_name(scope, &decl.name.name);
        let path = match self.graph.scope_path(scope) {
            around if around.is_empty() => name,
            around => format!("{around}.{name}"),
        };
        let external = decl.external.as_ref().map(|text| text.value.clone());
        let (frozen, span) = (decl.frozen.is_some(), decl.name.span);
        self.graph.params.push(Param { path, shape, init, frozen, external, scope, span });
        self.param_nodes.push(node);
        Ok(node)
    }

    fn init(&mut self, decl: &'a ParamDecl) -> Lowered<Init> {
        let Some(expr) = &decl.init else { return Ok(Init::Random) };
        self.plain_number(expr, "an initial value").map(Init::Constant)
    }

    /// The value of a declared name.
    fn declared(&mut self, node: NodeId, ident: &ast::Ident) -> Value {
        self.graph.node_mut(node).name = Some(Arc::from(ident.name.as_str()));
        Value::Tensor(Tensor { node, axes: None, span: ident.span })
    }
}
