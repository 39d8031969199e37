package workflow

var (
	compile = compileExpr
	refs    = (*Expr).Refs
)
