package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
)

// bombs are expressions that would take endless time or memory if nothing stopped them.
func bombs() []string {
	// Each step holds what there is 16 times: the tree has 2^56 leaves.
	lists, maps := "[[1]]", "optional.of({'a': 1})"
	for range maxComprehensions - 2 {
		lists += ".map(a, [" + strings.Repeat("a, ", 15) + "a])"
	}
	texts, sums := "['0123456789']", "[[0]]"
	for range maxComprehensions {
		texts += ".map(a, a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a)"
		sums += ".map(a, a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a)"
	}
	folds := "[[1]]"
	for range maxComprehensions/2 - 1 { // optMap counts for two
		maps += ".optMap(a, {'a': a, 'b': a, 'c': a, 'd': a, 'e': a, 'f': a, 'g': a, 'h': a, 'i': a, 'j': a, 'k': a, 'l': a, 'm': a, 'n': a, 'o': a, 'p': a})"
		folds += ".map(a, lists.range(16).map(i, a))"
	}
	long := "lists.range(1000).map(i, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').join('')"
	return []string{
		lists, maps + ".orValue({})", texts, sums,
		"optional.of(" + folds + ").optMap(a, a == a).orValue(false)",
		"optional.of(" + lists + ").optMap(a, a == a).orValue(false)",
		maps + ".optMap(a, a == a).orValue(false)",
		"'%s'.format(" + lists + ")",
		"5 in " + sums + "[0]",
		"size(" + sums + "[0])",
		fmt.Sprintf("%s.replace('a', %s)", long, long),
		fmt.Sprintf("%s.split('').join(%s)", long, long),
		fmt.Sprintf("%s.indexOf(%s.substring(1) + 'b')", long, long),
		fmt.Sprintf("%s.lastIndexOf('b' + %s.substring(1))", long, long),
		fmt.Sprintf("%s.matches(output.pattern)", long),
		"lists.range(10000).distinct()",
		"sets.contains(lists.range(10000), lists.range(10000))",
		"sets.equivalent(output.many, output.many)",
		"output.many.map(a, output.many.map(b, a + b))",
		"output.many.exists(a, output.many == [a])",
		"lists.range(500).filter(i, [output.many] != [output.many])",
		"lists.range(500).filter(i, [0] in [output.many])",
		"lists.range(500).map(i, (output.many + [i]).size())",
		"output.many.filter(a, a in output.many)",
		"output.many.map(a, output.long + 'x')",
		"[output.many, output.many, output.many].map(a, a + a + a + a + a + a + a + a)",
	}
}

// TestBombsStop ends what would not end by itself.
func TestBombsStop(t *testing.T) {
	many, _ := json.Marshal(make([]int, 50_000))
	values := map[string]string{"output": fmt.Sprintf(`{"many":%s,"long":"%s","pattern":"(a{30}){30}b"}`, many, strings.Repeat("x", 100_000))}
	for _, source := range bombs() {
		e := mustCompile(t, source, anyResult)
		var failed *EvalError
		if result, err := e.JSON(scopeOf(values)); !errors.As(err, &failed) || !strings.Contains(failed.Message, "more than") {
			t.Errorf("%.80s: %d bytes, %v", source, len(result), err)
		}
	}
}

// TestACallThatIsTooMuchDoesNotBegin asks what is asked before such calls. That they fail
// afterwards too, by their cost, would be too late.
func TestACallThatIsTooMuchDoesNotBegin(t *testing.T) {
	text := types.String(strings.Repeat("a", 100_000))
	items := newList(slices.Repeat([]ref.Val{types.IntOne}, 10_000))
	for function, args := range map[string][]ref.Val{
		"replace":         {text, types.String("a"), text},
		"join":            {items, text},
		"indexOf":         {text, text},
		"lastIndexOf":     {text, text},
		"distinct":        {items},
		"sets.contains":   {items, items},
		"sets.intersects": {items, items},
		"sets.equivalent": {items, items},
	} {
		check := checkOf(interpreter.NewCall(1, function, "", nil, nil))
		if check == nil || check(args) == nil {
			t.Errorf("%s may begin with what takes for ever", function)
		}
	}
	run, err := matches([]interpreter.InterpretableV2{nil, nil})
	if err != nil || !types.IsError(run(text, types.String("(a{30}){30}b"))) {
		t.Errorf("matches may begin with what takes for ever, %v", err)
	}
}

// TestResultIsBounded holds results to MaxExpressionResult.
func TestResultIsBounded(t *testing.T) {
	values := map[string]string{"output": `"` + strings.Repeat("x", 300_000) + `"`}
	for _, source := range []string{`[1, 2, 3, 4].map(i, output)`, `{'a': [output + '1', output], 'b': [output, output + '2']}`} {
		e := mustCompile(t, source, anyResult)
		if _, err := e.JSON(scopeOf(values)); err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
			t.Errorf("%s: %v", source, err)
		}
		if _, err := mustCompile(t, `[1, 2, 3, 4].map(i, output)`, listResult).List(scopeOf(values)); err == nil {
			t.Errorf("the items of a list have more than a result may")
		}
	}
	if _, err := mustCompile(t, `output`, textResult).Text(scopeOf(values)); err != nil {
		t.Error(err)
	}
}

// shuffled is a value's JSON with the keys of its objects in any order.
func shuffled(random *rand.Rand, value any) string {
	switch v := value.(type) {
	case map[string]any:
		var fields []string
		for key, field := range v {
			name, _ := json.Marshal(key)
			fields = append(fields, string(name)+":"+shuffled(random, field))
		}
		random.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		return "{" + strings.Join(fields, " ,") + "}"
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, shuffled(random, item))
		}
		return "[" + strings.Join(items, ", ") + "]"
	default:
		text, _ := json.Marshal(v)
		return string(text)
	}
}

// checkDeterministic evaluates several times, with the keys in another order each time.
func checkDeterministic(t *testing.T, source, input string) {
	t.Helper()
	e, err := compileExpr(source, 1, anyResult)
	if err != nil {
		if strings.Contains(err.Error(), "cannot be compiled") {
			t.Fatalf("%q panics: %v", source, err)
		}
		return
	}
	var value any
	decoder := json.NewDecoder(strings.NewReader(input))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return
	}
	random := rand.New(rand.NewSource(1))
	first := ""
	for i := range 4 {
		text := shuffled(random, value)
		s := &Scope{Resolve: func(name string) ([]byte, bool, error) { return []byte(text), name != "message", nil }}
		result, err := e.JSON(s)
		got := fmt.Sprintf("%s %v", result, err)
		if err != nil && strings.Contains(err.Error(), "cannot be evaluated") {
			t.Fatalf("%q panics: %v", source, err)
		}
		if err == nil && !json.Valid(result) {
			t.Fatalf("%q made %q, which is not JSON", source, result)
		}
		if i > 0 && got != first {
			t.Fatalf("%q was %s, then %s", source, first, got)
		}
		first = got
	}
}

// walks are expressions whose result hangs on the order in which something is walked.
func walks() []string {
	return []string{
		`output.map(k, k)`, `output.map(k, output[k])`, `output.filter(k, k != 'a')`, `output.exists(k, output[k].x)`,
		`output.exists_one(k, output[k] == 1)`, `output.all(k, output[k] > 1)`,
		`{'d': 1, 'a': output, 'c': 2, 'b': 3}.map(k, k)`, `[{'d': 1, 'a': 2, 'b': 3, 'c': {'z': 1, 'y': 2}}]`,
		`{'d': 1, 'a': 2, 'c': 3, 'b': 4}.map(k, k).join(output.sep)`, `'%s'.format([output])`, `'%s'.format([{'d': 1, 'a': 2, 'c': 3}])`,
		`output.map(k, k).sort()`, `optional.of(output).optMap(o, o.map(k, k))`, `{?'z': output.?a, ?'b': output.?b, ?'a': output.?a}`,
		`output == {'a': 1, 'b': 2, 'c': 3}`, `[output, output].distinct()`, `output.map(k, {k: 1})`, `{output.a: 1, output.b: 2}`, `{output.h: 1, output.a: 2, output.f: 3}`,
		`output.map(k, 1 / output[k])`, `{'b': 1 / 0, 'a': output.nope}`, `has(message) || output.map(k, k)[0] == 'a'`,
	}
}

// TestOrderIsTheKeys walks objects whose keys come in any order.
func TestOrderIsTheKeys(t *testing.T) {
	for _, source := range walks() {
		for range 5 {
			checkDeterministic(t, source, `{"c":3,"b":2,"a":1,"e":0,"d":0,"f":{"y":1,"x":2},"g":"x","h":[]}`)
		}
	}
}

// TestLocalTimeIsNotRead moves the machine to another zone: replicas stand in several.
func TestLocalTimeIsNotRead(t *testing.T) {
	home := time.Local
	t.Cleanup(func() { time.Local = home })
	e := mustCompile(t, `string(timestamp(0)) + string(timestamp('2026-01-01T00:00:00+05:00')) + string(timestamp(0).getHours()) + '%s'.format([timestamp(0)])`, textResult)
	results := make(map[string]bool)
	for _, offset := range []int{0, 5, -7} {
		time.Local = time.FixedZone("", offset*3600)
		text, err := e.Text(scopeOf(nil))
		if err != nil {
			t.Fatal(err)
		}
		results[text] = true
	}
	if len(results) != 1 {
		t.Errorf("results: %v", results)
	}
}

// TestAListOfManyIsCheap holds what usual expressions cost to what runs have.
func TestAListOfManyIsCheap(t *testing.T) {
	for source, items := range map[string]int{
		`output.filter(c, c.score > 0.5)`:                4000,
		`output.filter(c, c.score > 0.5).map(c, c.text)`: 2500,
		`output.map(c, c.text)`:                          6000,
		`output.exists(c, c.score > 5)`:                  10_000,
	} {
		values := map[string]string{"output": "[" + strings.Repeat(`{"score":0.9,"text":"lorem ipsum"},`, items-1) + `{"score":0.1,"text":""}]`}
		if _, err := mustCompile(t, source, anyResult).JSON(scopeOf(values)); err != nil {
			t.Errorf("%d items: %v", items, err)
		}
	}
}

// FuzzExpr looks for an expression that panics or whose result is not the same twice.
func FuzzExpr(f *testing.F) {
	input := `{"c":3,"b":2.5,"a":1,"d":{"y":"é","x":[1,2,{"q":null,"p":true}]}}`
	for _, source := range append(walks(), bombs()...) {
		f.Add(source, input)
	}
	for _, source := range []string{`tenant + '/' + event.data.model`, `timestamp(output.a)`, `'%d %s %.3f'.format([1, 'a', 2.5])`, `b'a' + b'b'`, `int('5') * 2.5`, `output.?d.?x[?0].orValue(5)`} {
		f.Add(source, input)
	}
	f.Fuzz(checkDeterministic)
}

// BenchmarkCompileExpr is what opening a node costs for each expression.
func BenchmarkCompileExpr(b *testing.B) {
	if _, err := environment(); err != nil {
		b.Fatal(err)
	}
	for _, source := range []string{`output.confidence < 0.6`, `output.chunks.filter(c, c.score > 0.5).map(c, c.text)`, `{'status': run.status, 'usage': run.usage}`} {
		b.Run(source, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mustCompile(b, source, anyResult)
			}
		})
	}
}

// BenchmarkExpr evaluates over 10 KB of output.
func BenchmarkExpr(b *testing.B) {
	var chunks []string
	for i := range 100 {
		chunks = append(chunks, fmt.Sprintf(`{"id":%d,"score":0.%d,"text":"%s"}`, i, i%10, strings.Repeat("lorem ", 12)))
	}
	output := []byte(`{"chunks":[` + strings.Join(chunks, ",") + `],"confidence":0.5}`)
	scope := func() *Scope {
		return &Scope{Resolve: func(string) ([]byte, bool, error) { return output, true, nil }}
	}
	b.Run("guard", func(b *testing.B) {
		e := mustCompile(b, `output.confidence < 0.6`, boolResult)
		b.ReportAllocs()
		b.SetBytes(int64(len(output)))
		for b.Loop() {
			if _, err := e.Bool(scope()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("guard, decoded before", func(b *testing.B) {
		e, s := mustCompile(b, `output.confidence < 0.6`, boolResult), scope()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.Bool(s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("filter", func(b *testing.B) {
		e, s := mustCompile(b, `output.chunks.filter(c, c.score > 0.5).map(c, c.text)`, anyResult), scope()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.JSON(s); err != nil {
				b.Fatal(err)
			}
		}
	})
}
