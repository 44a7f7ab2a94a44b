// Types of Go packages, as JSON lines: what each call resolves to, what is ranged over, stored into, sent,
// sliced. Standard library alone, so that any toolchain from Go 1.19 on runs it; it reads what
// `go list -e -export -deps -json` has written and the files named there, and runs nothing.
//
// lastgasp carries this file, writes it into a folder of its own, and runs it with the user's toolchain, whose
// export data no other can read.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

type listed struct {
	ImportPath string
	Name       string
	Dir        string
	Export     string
	DepOnly    bool
	Standard   bool
	GoFiles    []string
	CgoFiles   []string
	ImportMap  map[string]string
}

// fact is a line of the answer. Kinds: call, range, store, send, slice, literal, and package at the end of
// each package.
type fact struct {
	Kind string `json:"k"`
	File string `json:"f,omitempty"`
	Line int    `json:"l,omitempty"`
	Col  int    `json:"c,omitempty"`
	// Function that it stands in, as profiles name it.
	In string `json:"in,omitempty"`
	// Of a call: the function or method. Of others: the type.
	What string `json:"what,omitempty"`
	// Of a call: what its results are. Of a send: whether the element has pointers.
	Results []string `json:"results,omitempty"`
	// Of a call through an interface: what it may be, by the types of the packages that were read.
	Targets []string `json:"targets,omitempty"`
	Dynamic bool     `json:"dynamic,omitempty"`
	Pointer bool     `json:"pointer,omitempty"`
	Errors  int      `json:"errors,omitempty"`
	Error   string   `json:"error,omitempty"`
}

const (
	mostTargets = 24
	mostFacts   = 4 << 20
)

var (
	out   *json.Encoder
	count int
)

func say(f fact) {
	count++
	if count == mostFacts {
		f = fact{Kind: "cut"}
	}
	if count <= mostFacts {
		_ = out.Encode(f)
	}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: helper LIST")
		os.Exit(2)
	}
	file, err := os.Open(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	exports := map[string]string{}
	var own []listed
	for decoder := json.NewDecoder(bufio.NewReader(file)); ; {
		var p listed
		if err := decoder.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly && !p.Standard {
			own = append(own, p)
		}
	}
	buffered := bufio.NewWriterSize(os.Stdout, 1<<16)
	out = json.NewEncoder(buffered)
	out.SetEscapeHTML(false)
	fset := token.NewFileSet()
	var checked []*pkg
	for _, p := range own {
		checked = append(checked, check(fset, p, exports))
	}
	concrete := concreteTypes(checked)
	for _, p := range checked {
		p.concrete = concrete
		p.tell()
	}
	if err := buffered.Flush(); err != nil {
		os.Exit(1)
	}
}

type pkg struct {
	listed
	fset     *token.FileSet
	files    []*ast.File
	info     *types.Info
	types    *types.Package
	errors   int
	error    string
	concrete []types.Type
}

// check type-checks a package from its source, and what it imports from export data. What is wrong is counted
// and the rest is used all the same.
func check(fset *token.FileSet, p listed, exports map[string]string) *pkg {
	c := &pkg{listed: p, fset: fset}
	note := func(err error) {
		c.errors++
		if c.error == "" {
			c.error = err.Error()
		}
	}
	// Files with cgo need what cgo makes of them: they are left out, and that is an error of the package.
	for _, name := range p.CgoFiles {
		note(fmt.Errorf("%s: uses cgo", name))
	}
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			note(err)
		}
		if f != nil {
			c.files = append(c.files, f)
		}
	}
	lookup := func(path string) (io.ReadCloser, error) {
		if mapped, ok := p.ImportMap[path]; ok {
			path = mapped
		}
		export := exports[path]
		if export == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(export)
	}
	c.info = &types.Info{
		Types:      map[ast.Expr]types.TypeAndValue{},
		Uses:       map[*ast.Ident]types.Object{},
		Defs:       map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{},
	}
	config := types.Config{
		Importer:    importer.ForCompiler(fset, "gc", lookup),
		Error:       note,
		FakeImportC: true,
	}
	func() {
		// A checker of an older release may not know what a file is written in.
		defer func() {
			if r := recover(); r != nil {
				note(fmt.Errorf("the type checker failed: %v", r))
			}
		}()
		c.types, _ = config.Check(p.ImportPath, fset, c.files, c.info)
	}()
	return c
}

// concreteTypes are the named types of the packages that were read and of what they import: what an interface
// may hold, by class hierarchy.
func concreteTypes(checked []*pkg) []types.Type {
	seen := map[*types.Package]bool{}
	var all []types.Type
	var add func(p *types.Package, depth int)
	add = func(p *types.Package, depth int) {
		if p == nil || seen[p] || depth > 2 {
			return
		}
		seen[p] = true
		for _, name := range p.Scope().Names() {
			of, ok := p.Scope().Lookup(name).(*types.TypeName)
			if !ok || of.IsAlias() {
				continue
			}
			named, ok := of.Type().(*types.Named)
			if !ok || named.TypeParams().Len() > 0 || types.IsInterface(named) {
				continue
			}
			all = append(all, named)
		}
		for _, imported := range p.Imports() {
			add(imported, depth+1)
		}
	}
	for _, c := range checked {
		add(c.types, 0)
	}
	return all
}

func (c *pkg) tell() {
	for _, file := range c.files {
		for _, decl := range file.Decls {
			in := ""
			if f, ok := decl.(*ast.FuncDecl); ok {
				in = c.symbol(f)
			}
			ast.Inspect(decl, func(n ast.Node) bool {
				if n != nil {
					c.node(n, in)
				}
				return true
			})
		}
	}
	say(fact{Kind: "package", What: c.ImportPath, Errors: c.errors, Error: c.error})
}

// symbol is a function's name as profiles have it.
func (c *pkg) symbol(f *ast.FuncDecl) string {
	path := c.ImportPath
	if c.Name == "main" {
		path = "main"
	}
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return path + "." + f.Name.Name
	}
	t := f.Recv.List[0].Type
	star := false
	for {
		switch of := t.(type) {
		case *ast.StarExpr:
			star, t = true, of.X
			continue
		case *ast.ParenExpr:
			t = of.X
			continue
		case *ast.IndexExpr:
			t = of.X
			continue
		case *ast.IndexListExpr:
			t = of.X
			continue
		case *ast.Ident:
			if star {
				return path + ".(*" + of.Name + ")." + f.Name.Name
			}
			return path + "." + of.Name + "." + f.Name.Name
		}
		return path + "." + f.Name.Name
	}
}

func (c *pkg) at(n ast.Node, f fact) {
	p := c.fset.Position(n.Pos())
	f.File, f.Line, f.Col = p.Filename, p.Line, p.Column
	say(f)
}

func (c *pkg) typeOf(e ast.Expr) types.Type {
	if tv, ok := c.info.Types[e]; ok && tv.Type != nil {
		return tv.Type
	}
	if id, ok := e.(*ast.Ident); ok {
		if o := c.info.Defs[id]; o != nil {
			return o.Type()
		}
		if o := c.info.Uses[id]; o != nil {
			return o.Type()
		}
	}
	return nil
}

func kind(t types.Type) string {
	if t == nil {
		return ""
	}
	switch u := t.Underlying().(type) {
	case *types.Map:
		return "map"
	case *types.Slice:
		return "slice"
	case *types.Array:
		return "array"
	case *types.Chan:
		return "chan"
	case *types.Pointer:
		if _, ok := u.Elem().Underlying().(*types.Array); ok {
			return "array"
		}
		return "pointer"
	case *types.Basic:
		if u.Info()&types.IsString != 0 {
			return "string"
		}
		if u.Info()&types.IsInteger != 0 {
			return "integer"
		}
	case *types.Signature:
		return "func"
	}
	return "other"
}

func (c *pkg) node(n ast.Node, in string) {
	switch n := n.(type) {
	case *ast.CallExpr:
		c.call(n, in)
	case *ast.RangeStmt:
		if k := kind(c.typeOf(n.X)); k != "" {
			c.at(n, fact{Kind: "range", In: in, What: k})
		}
	case *ast.SendStmt:
		if t := c.typeOf(n.Chan); t != nil {
			if ch, ok := t.Underlying().(*types.Chan); ok {
				c.at(n, fact{Kind: "send", In: in, What: types.TypeString(ch.Elem(), nil), Pointer: hasPointers(ch.Elem(), 0)})
			}
		}
	case *ast.AssignStmt:
		for _, l := range n.Lhs {
			c.store(l, in)
		}
	case *ast.IncDecStmt:
		c.store(n.X, in)
	case *ast.SliceExpr:
		if k := kind(c.typeOf(n.X)); k != "" {
			c.at(n, fact{Kind: "slice", In: in, What: k})
		}
	case *ast.CompositeLit:
		if t := c.typeOf(n); t != nil {
			c.at(n, fact{Kind: "literal", In: in, What: types.TypeString(t, nil)})
		}
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			if k := kind(c.typeOf(n.X)); k != "" {
				c.at(n, fact{Kind: "receive", In: in, What: k})
			}
		}
	}
}

func (c *pkg) store(e ast.Expr, in string) {
	if i, ok := e.(*ast.IndexExpr); ok {
		if k := kind(c.typeOf(i.X)); k != "" {
			c.at(e, fact{Kind: "store", In: in, What: k})
		}
	}
}

func (c *pkg) call(n *ast.CallExpr, in string) {
	fun := n.Fun
	for {
		if p, ok := fun.(*ast.ParenExpr); ok {
			fun = p.X
			continue
		}
		break
	}
	if tv, ok := c.info.Types[fun]; ok && tv.IsType() {
		c.at(n, fact{Kind: "conversion", In: in, What: types.TypeString(tv.Type, nil)})
		return
	}
	f := fact{Kind: "call", In: in, Results: results(c.typeOf(fun))}
	switch e := fun.(type) {
	case *ast.IndexExpr:
		fun = e.X
	case *ast.IndexListExpr:
		fun = e.X
	}
	switch e := fun.(type) {
	case *ast.Ident:
		switch o := c.info.Uses[e].(type) {
		case *types.Func:
			f.What = name(o)
		case *types.Builtin:
			f.What = o.Name()
		case *types.Var:
			f.What, f.Dynamic = "func value "+o.Name(), true
		}
	case *ast.SelectorExpr:
		if s, ok := c.info.Selections[e]; ok {
			if m, ok := s.Obj().(*types.Func); ok {
				f.What = name(m)
				if receiver := m.Type().(*types.Signature).Recv(); receiver != nil && types.IsInterface(receiver.Type()) {
					f.Dynamic = true
					f.Targets = c.targets(receiver.Type(), s.Recv(), m)
				}
			} else {
				f.What, f.Dynamic = "func value "+e.Sel.Name, true
			}
		} else if o, ok := c.info.Uses[e.Sel].(*types.Func); ok {
			f.What = name(o)
		} else if o, ok := c.info.Uses[e.Sel].(*types.Var); ok {
			f.What, f.Dynamic = "func value "+o.Name(), true
		}
	case *ast.FuncLit:
		f.What = "func literal"
	}
	if f.What == "" {
		if c.typeOf(fun) == nil {
			return
		}
		f.What, f.Dynamic = "func value", true
	}
	c.at(n, f)
}

// name is a function's name with its package's path: `(*sync.Mutex).Lock`, `net/http.Get`.
func name(f *types.Func) string {
	return f.FullName()
}

func results(t types.Type) []string {
	s, ok := t.(*types.Signature)
	if !ok {
		return nil
	}
	var all []string
	for i := 0; i < s.Results().Len() && i < 8; i++ {
		all = append(all, types.TypeString(s.Results().At(i).Type(), nil))
	}
	return all
}

// targets are the methods that a call through an interface may be, of the types that are known.
func (c *pkg) targets(receiver, static types.Type, m *types.Func) []string {
	of, ok := static.Underlying().(*types.Interface)
	if !ok {
		of, ok = receiver.Underlying().(*types.Interface)
	}
	if !ok || of.NumMethods() == 0 {
		return nil
	}
	var found []string
	for _, t := range c.concrete {
		for _, as := range []types.Type{t, types.NewPointer(t)} {
			if !types.Implements(as, of) {
				continue
			}
			if o, _, _ := types.LookupFieldOrMethod(as, true, m.Pkg(), m.Name()); o != nil {
				if method, ok := o.(*types.Func); ok {
					found = append(found, name(method))
				}
			}
			break
		}
	}
	sort.Strings(found)
	var unique []string
	for i, f := range found {
		if (i == 0 || found[i-1] != f) && len(unique) < mostTargets {
			unique = append(unique, f)
		}
	}
	return unique
}

func hasPointers(t types.Type, depth int) bool {
	if depth > 8 {
		return true
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return u.Info()&types.IsString != 0 || u.Kind() == types.UnsafePointer
	case *types.Array:
		return hasPointers(u.Elem(), depth+1)
	case *types.Struct:
		for i := 0; i < u.NumFields(); i++ {
			if hasPointers(u.Field(i).Type(), depth+1) {
				return true
			}
		}
		return false
	}
	return !strings.HasPrefix(kind(t), "integer")
}
