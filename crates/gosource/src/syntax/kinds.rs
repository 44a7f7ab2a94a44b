//! The grammar's node kinds and fields by number: names are compared once, not at every node.

use std::sync::OnceLock;

use tree_sitter::Language;

macro_rules! kinds {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// Kinds of named nodes that mean something here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Kind { $($variant,)* Other }

        fn kind_of(name: &str) -> Kind {
            match name { $($name => Kind::$variant,)* _ => Kind::Other }
        }

        #[cfg(test)]
        const NAMES: &[&str] = &[$($name),*];
    };
}

kinds! {
    PackageClause = "package_clause", FunctionDeclaration = "function_declaration",
    MethodDeclaration = "method_declaration", ImportDeclaration = "import_declaration",
    ImportSpecList = "import_spec_list", ImportSpec = "import_spec", ConstDeclaration = "const_declaration",
    ConstSpec = "const_spec", VarDeclaration = "var_declaration", VarSpec = "var_spec", VarSpecList = "var_spec_list",
    TypeDeclaration = "type_declaration", TypeSpec = "type_spec", TypeAlias = "type_alias",
    TypeParameterDeclaration = "type_parameter_declaration",
    ParameterDeclaration = "parameter_declaration", VariadicParameter = "variadic_parameter_declaration",
    ParameterList = "parameter_list", Comment = "comment", Dot = "dot", PackageIdentifier = "package_identifier",
    TypeIdentifier = "type_identifier", GenericType = "generic_type", QualifiedType = "qualified_type",
    PointerType = "pointer_type", StructType = "struct_type", InterfaceType = "interface_type",
    ArrayType = "array_type", ImplicitArray = "implicit_length_array_type", SliceType = "slice_type",
    MapType = "map_type", ChannelType = "channel_type", FunctionType = "function_type",
    NegatedType = "negated_type", ParenthesizedType = "parenthesized_type", TypeElem = "type_elem",
    TypeArguments = "type_arguments", FieldDeclarationList = "field_declaration_list",
    FieldDeclaration = "field_declaration", MethodElem = "method_elem", Block = "block",
    StatementList = "statement_list", ExpressionStatement = "expression_statement",
    SendStatement = "send_statement", ReceiveStatement = "receive_statement", IncStatement = "inc_statement",
    DecStatement = "dec_statement", AssignmentStatement = "assignment_statement",
    ShortVarDeclaration = "short_var_declaration", LabeledStatement = "labeled_statement",
    FallthroughStatement = "fallthrough_statement", BreakStatement = "break_statement",
    ContinueStatement = "continue_statement", GotoStatement = "goto_statement", ReturnStatement = "return_statement",
    GoStatement = "go_statement", DeferStatement = "defer_statement", IfStatement = "if_statement",
    ForStatement = "for_statement", ForClause = "for_clause", RangeClause = "range_clause",
    ExpressionSwitch = "expression_switch_statement", ExpressionCase = "expression_case",
    DefaultCase = "default_case", TypeSwitch = "type_switch_statement", TypeCase = "type_case",
    SelectStatement = "select_statement", CommunicationCase = "communication_case",
    EmptyStatement = "empty_statement", UnaryExpression = "unary_expression",
    BinaryExpression = "binary_expression", SelectorExpression = "selector_expression",
    IndexExpression = "index_expression", SliceExpression = "slice_expression", CallExpression = "call_expression",
    TypeAssertion = "type_assertion_expression", TypeConversion = "type_conversion_expression",
    TypeInstantiation = "type_instantiation_expression", Identifier = "identifier",
    CompositeLiteral = "composite_literal", LiteralValue = "literal_value", LiteralElement = "literal_element",
    KeyedElement = "keyed_element", FuncLiteral = "func_literal", RawString = "raw_string_literal",
    InterpretedString = "interpreted_string_literal", IntLiteral = "int_literal", FloatLiteral = "float_literal",
    ImaginaryLiteral = "imaginary_literal", RuneLiteral = "rune_literal", Nil = "nil", True = "true",
    False = "false", Iota = "iota", ParenthesizedExpression = "parenthesized_expression",
    ExpressionList = "expression_list", ArgumentList = "argument_list", VariadicArgument = "variadic_argument",
    LabelName = "label_name", FieldIdentifier = "field_identifier", BlankIdentifier = "blank_identifier",
}

macro_rules! fields {
    ($($field:ident = $name:literal),* $(,)?) => {
        /// Fields of nodes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Field { $($field,)* None }

        fn field_of(name: &str) -> Field {
            match name { $($name => Field::$field,)* _ => Field::None }
        }
    };
}

fields! {
    Name = "name", Path = "path", Type = "type", Value = "value", TypeParameters = "type_parameters",
    Parameters = "parameters", Result = "result", Body = "body", Receiver = "receiver", Length = "length",
    Element = "element", Key = "key", Tag = "tag", Left = "left", Right = "right", Channel = "channel",
    Operator = "operator", Label = "label", Initializer = "initializer", Condition = "condition",
    Consequence = "consequence", Alternative = "alternative", Update = "update", Alias = "alias",
    Communication = "communication", Function = "function", Arguments = "arguments",
    TypeArguments = "type_arguments", Operand = "operand", Selected = "field", Index = "index", Start = "start",
    End = "end", Capacity = "capacity", Package = "package",
}

/// The grammar with its numbers.
pub(super) struct Grammar {
    pub(super) language: Language,
    kinds: Vec<Kind>,
    fields: Vec<Field>,
}

impl Grammar {
    /// The kind of a number.
    pub(super) fn kind(&self, id: u16) -> Kind {
        self.kinds.get(usize::from(id)).copied().unwrap_or(Kind::Other)
    }

    /// The field of a number.
    pub(super) fn field(&self, id: Option<std::num::NonZeroU16>) -> Field {
        id.and_then(|id| self.fields.get(usize::from(id.get()))).copied().unwrap_or(Field::None)
    }
}

/// The grammar of Go.
pub(super) fn grammar() -> &'static Grammar {
    static GRAMMAR: OnceLock<Grammar> = OnceLock::new();
    GRAMMAR.get_or_init(|| {
        let language: Language = tree_sitter_go::LANGUAGE.into();
        let count = u16::try_from(language.node_kind_count()).unwrap_or(u16::MAX);
        let named = |id| language.node_kind_is_named(id);
        let kinds = (0..count)
            .map(|id| if named(id) { language.node_kind_for_id(id).map_or(Kind::Other, kind_of) } else { Kind::Other })
            .collect();
        let count = u16::try_from(language.field_count()).unwrap_or(u16::MAX);
        let fields = (0..=count).map(|id| language.field_name_for_id(id).map_or(Field::None, field_of)).collect();
        Grammar { language, kinds, fields }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_has_every_kind_that_is_asked_for() {
        let language = &grammar().language;
        for name in NAMES {
            assert_ne!(language.id_for_node_kind(name, true), 0, "{name}");
        }
    }
}
