package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// scopeOf is a scope with these variables.
func scopeOf(values map[string]string) *Scope {
	return &Scope{Resolve: func(name string) ([]byte, bool, error) {
		value, found := values[name]
		return []byte(value), found, nil
	}}
}

func mustCompile(tb testing.TB, source string, want result) *Expr {
	tb.Helper()
	e, err := compileExpr(source, 7, want)
	if err != nil {
		tb.Fatalf("%s: %v", source, err)
	}
	return e
}

// example is what most of the tests evaluate with.
func example() map[string]string {
	return map[string]string{
		"tenant":       `"acme"`,
		"index":        `3`,
		"event":        `{"client_id":"ada","key":"k","data":{"model":"large","n":null}}`,
		"run":          `{"id":"r1","status":"failed","usage":{"tokens":12,"cost":0.5}}`,
		"output":       `{"confidence":0.5,"ids":[1,2],"count":4,"one":1.0,"name":"ab","chunks":[{"text":"a","score":0.9},{"text":"b","score":0.1},{"text":"c","score":1}],"z":{"b":1,"a":2,"c":3},"none":[]}`,
		"steps/answer": `{"output":{"text":"hi"}}`,
		"steps/a-b":    `{"output":1}`,
		"vars":         `{"big":9007199254740993,"huge":123456789012345678901234567890,"neg":-7}`,
	}
}

// TestExprJSON is the language by examples.
func TestExprJSON(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{`tenant + '/' + event.data.model`, `"acme/large"`},
		{`{'ids': output.ids}`, `{"ids":[1,2]}`},
		{`output.confidence < 0.6`, `true`},
		{`{'status': run.status, 'usage': run.usage}`, `{"status":"failed","usage":{"cost":0.5,"tokens":12}}`},
		{`has(message) && message.approved`, `false`},
		{`has(event) && has(.event) && !has(error)`, `true`},
		{`has(steps.answer) && has(steps.answer.output.text) && !has(steps.later)`, `true`},
		{`has(output.confidence) && !has(output.nothing)`, `true`},
		{`steps.answer.output`, `{"text":"hi"}`},
		{`steps['a-b'].output`, `1`},
		{`steps.?later.output.orValue('none')`, `"none"`},
		{`output.chunks.filter(c, c.score > 0.5).map(c, c.text)`, `["a","c"]`},
		{`output.chunks.map(item, item.text)`, `["a","b","c"]`},
		{`output.chunks.exists(c, c.text == 'b') && output.chunks.all(c, c.score > 0)`, `true`},

		{`vars.big`, `9007199254740993`},
		{`vars.big + 1`, `9007199254740994`},
		{`vars.huge`, `1.2345678901234568e+29`},
		{`output.count == 4.0 && output.count < 4.5 && output.one == 1`, `true`},
		{`output.count * 0.5`, `2`},
		{`0.5 * output.count + 1`, `3`},
		{`3 * 0.5 - 1`, `0.5`},
		{`output.count / 3`, `1`},
		{`output.count / 3.0`, `1.3333333333333333`},
		{`output.one / 4`, `0.25`},
		{`math.greatest([1, 2.5, output.count])`, `4`},
		{`18446744073709551615u`, `18446744073709551615`},
		{`1e21`, `1e+21`},
		{`1.0 / 3e9`, `3.333333333333333e-10`},

		{`output.z.map(k, k)`, `["a","b","c"]`},
		{`{'b': 1, 'a': 2, 'c': 3}.map(k, k)`, `["a","b","c"]`},
		{`{'b': 1, 'a': {'y': 1, 'x': 2}}`, `{"a":{"x":2,"y":1},"b":1}`},
		{`'%s'.format([{'b': 1, 'a': 2}])`, `"{a: 2, b: 1}"`},
		{`{?'a': output.?nothing, ?'b': output.?count}`, `{"b":4}`},
		{`output.ids + [3]`, `[1,2,3]`},
		{`output.none + [1] + output.none`, `[1]`},
		{`'a,b'.split(',') + ['c']`, `["a","b","c"]`},
		{`optional.of([]).optMap(v, (v + [1]) + v).orValue([])`, `[1]`},
		{`optional.of([]).optMap(v, v + v + [1] + v + v).orValue([])`, `[1]`},
		{`lists.range(3).map(i, output.ids.map(j, i * j))`, `[[0,0],[1,2],[2,4]]`},
		{`output.ids.size() + size('äö')`, `4`},
		{`[3, 1, 2].sort()`, `[1,2,3]`},
		{`['b', 'a', 'b'].distinct()`, `["b","a"]`},
		{`sets.contains([1, 2, 3], output.ids)`, `true`},
		{`output.ids == [1, 2.0] && [1] in [[1], [2]] && !(5 in output.ids)`, `true`},
		{`{'ids': [1.0, 2.0]} == {'ids': output.ids} && output.z == {'a': 2, 'b': 1, 'c': 3}`, `true`},
		{`['a', 'b'].join('-') + 'x'.replace('x', 'y')`, `"a-by"`},
		{`'ab12'.matches('^[a-z]+[0-9]+$') && !output.name.matches(run.status)`, `true`},
		{`'a"b\\c\n<&>\u2028\x01'`, `"a\"b\\c\n<&>\u2028\u0001"`},
		{`b'\xff\x00'`, `"/wA="`},
		{`base64.encode(b'hi')`, `"aGk="`},
		{`timestamp('2026-02-03T04:05:06.7+02:00')`, `"2026-02-03T02:05:06.7Z"`},
		{`timestamp('2026-02-03T04:05:06Z').getHours('+02:00')`, `6`},
		{`timestamp('2026-02-03T04:05:06Z').getHours()`, `4`},
		{`[duration('90s'), duration('-1.5s'), duration('1h')]`, `["90s","-1.5s","3600s"]`},
		{`event.data.n == null`, `true`},
		{`event.data.n`, `null`},
		{`type(1) == int`, `true`},
		{`string(timestamp(0)) + string(1.0) + string(3)`, `"1970-01-01T00:00:00Z13"`},
	} {
		got, err := mustCompile(t, c.source, anyResult).JSON(scopeOf(example()))
		if err != nil || string(got) != c.want {
			t.Errorf("%s = %s, %v; want %s", c.source, got, err, c.want)
		}
	}
}

// TestExprRefs lists what expressions read.
func TestExprRefs(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{`1`, ``},
		{`has(message) && message.approved`, `message`},
		{`tenant + event.key + event.data.x`, `event tenant`},
		{`steps.b.output.x + steps['a'].output + steps.?c.output.orValue(1)`, `steps/a steps/b steps/c`},
		{`has(steps.x) || has(steps.y.output)`, `steps/x steps/y`},
		{`output.map(item, item.x)`, `output`},
		{`output.map(item, .item.x)`, `item output`},
		{`item.map(item, [item].map(i, index))`, `index item`},
		{`[1].map(steps, steps)`, ``},
		{`{event.key: [vars.x, error.code, run.id]}`, `error event run vars`},
	} {
		if got := strings.Join(mustCompile(t, c.source, anyResult).Refs(), " "); got != c.want {
			t.Errorf("%s reads %q, want %q", c.source, got, c.want)
		}
	}
}

// TestCompileExprRefuses says what is wrong in a line.
func TestCompileExprRefuses(t *testing.T) {
	for _, c := range []struct {
		source  string
		want    result
		message string
	}{
		{`output.count + 1 ==`, boolResult, "mismatched input '<EOF>' (at column 20)"},
		{`outputs.count`, anyResult, `there is no "outputs"; the variables are`},
		{`1 + 2`, boolResult, "must be true or false, is an int"},
		{`'a'`, intResult, "must be a whole number, is a string"},
		{`{'a': 1}`, listResult, "must be a list, is a map"},
		{`optional.of(1)`, anyResult, "is an optional value"},
		{`true`, timeResult, "must be a time"},
		{`int`, anyResult, "must be what JSON can hold"},
		{`'a' < 1`, boolResult, "< does not take string and int"},
		{`steps`, anyResult, "steps is read by a step's name"},
		{`steps[event.key].output`, anyResult, "steps is read by a step's name"},
		{`steps.map(s, s)`, anyResult, "steps is read by a step's name"},
		{`has(steps)`, anyResult, "has() asks for a field"},
		{`has(nobody)`, anyResult, "has() asks for a field"},
		{`[1].map(item, has(item))`, anyResult, "item is the name of an item here"},
		{`duration('5 minutes')`, anyResult, "duration"},
		{`'a'.matches('(')`, anyResult, "missing closing )"},
		{`'a'.matches('(a{30}){30}{2}')`, anyResult, ""},
		{`{1: 'a'}`, anyResult, "a key of a map must be a string, is an int"},
		{strings.Repeat("[1].map(x, ", 20) + "1" + strings.Repeat(")", 20), anyResult, "walks over lists and maps 20 times"},
		{`now()`, anyResult, `there is no "now"`},
		{`google.protobuf.Timestamp{seconds: 1}`, anyResult, "there is no type google.protobuf.Timestamp"},
		{strings.Repeat("(", 200) + "1" + strings.Repeat(")", 200), anyResult, "recursion"},
		{strings.Repeat("1+", 3000) + "1", anyResult, "has 6001 bytes, of which 4096 are allowed"},
		{`[0,1,2,3,4,5,6,7,8,9].map(a, [0,1,2,3,4,5,6,7,8,9].map(b, [0,1,2,3,4,5,6,7,8,9].map(c, [0,1,2,3,4,5,6,7,8,9].map(d, a+b+c+d))))`, anyResult, "may cost more than 100000"},
	} {
		_, err := compileExpr(c.source, 1, c.want)
		if err == nil || !strings.Contains(err.Error(), c.message) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60s: %v; want %q in a line", c.source, err, c.message)
		}
	}
}

// TestExprSaysWhatIsMissing is what an operator reads in an incident.
func TestExprSaysWhatIsMissing(t *testing.T) {
	for _, c := range []struct{ source, message string }{
		{`message.approved`, "message has no value here; has(message) tells whether it has"},
		{`output.missing < 0.6`, "output has no field missing"},
		{`event.data.nope.deep`, "event.data has no field nope"},
		{`event.data['nope']`, "event.data has no field nope"},
		{`output.a + run.a`, "there is no field a"},
		{`steps.later.output`, "the step later has no output yet"},
		{`output.name < 1`, "< does not take values of these types"},
		{`output.name + 1`, "+ does not take a string and an int"},
		{`output.count % output.confidence`, "% does not take"},
		{`output[output.ids]`, "a field is asked for by a string"},
		{`output.z[index]`, "a key of a map must be a string, is an int"},
		{`output.z[lists.range(200).map(i, 'aaaaaaaaaa').join('')]`, "aaaa…"},
		{`output.ids[5]`, "index out of bounds: 5"},
		{`output.count / 0`, "division by zero"},
		{`output.count * 9223372036854775807`, "overflow"},
		{`0.0 / 0.0`, "NaN, which JSON cannot"},
		{`{[b'a', 'b'][0]: 1}`, "a key of a map must be a string, is bytes"},
		{`{output.count: 1}`, "a key of a map must be a string, is an int"},
		{`[output.?name]`, "an optional value"},
		{`timestamp('2026-02-03T04:05:06Z').getHours('Europe/Berlin')`, `time zone "Europe/Berlin" cannot be used`},
		{`timestamp('2026-02-03T04:05:06Z').getHours('Local')`, `time zone "Local" cannot be used`},
		{`lists.range(100000)`, "100000"},
		{`lists.range(output.count * 2500).map(i, [i])`, "costs more than 100000"},
	} {
		_, err := mustCompile(t, c.source, anyResult).JSON(scopeOf(example()))
		var failed *EvalError
		if !errors.As(err, &failed) || !strings.Contains(failed.Message, c.message) || failed.Expr != c.source || failed.Line != 7 {
			t.Errorf("%s: %v; want %q", c.source, err, c.message)
		}
	}
}

// TestExprOf converts results, and refuses those of another type.
func TestExprOf(t *testing.T) {
	values := example()
	values["output"] = `{"yes":true,"three":3.0,"half":0.5,"text":"x","list":[1,{"b":2,"a":[]}],"at":"2026-02-03T04:05:06+02:00","length":"1m30s","ms":1500}`
	of := map[result]func(*Expr) (any, error){
		anyResult:      func(e *Expr) (any, error) { v, err := e.JSON(scopeOf(values)); return string(v), err },
		boolResult:     func(e *Expr) (any, error) { return e.Bool(scopeOf(values)) },
		textResult:     func(e *Expr) (any, error) { return e.Text(scopeOf(values)) },
		intResult:      func(e *Expr) (any, error) { return e.Int(scopeOf(values)) },
		listResult:     func(e *Expr) (any, error) { v, err := e.List(scopeOf(values)); return fmt.Sprintf("%s", v), err },
		timeResult:     func(e *Expr) (any, error) { return e.TimeMS(scopeOf(values)) },
		durationResult: func(e *Expr) (any, error) { return e.DurationMS(scopeOf(values)) },
	}
	at := time.Date(2026, 2, 3, 2, 5, 6, 0, time.UTC).UnixMilli()
	for _, c := range []struct {
		want   result
		source string
		value  string
	}{
		{anyResult, `output.three`, `3`},
		{boolResult, `output.yes`, `true`},
		{boolResult, `output.text`, `must be true or false, is the string "x"`},
		{textResult, `output.text`, `x`},
		{textResult, `output.three`, `must be a string, is the number 3`},
		{intResult, `output.three`, `3`},
		{intResult, `output.half`, `must be a whole number, is the number 0.5`},
		{intResult, `1e300`, `must be a whole number`},
		{listResult, `output.list`, `[1 {"a":[],"b":2}]`},
		{listResult, `'a b'.split(' ')`, `["a" "b"]`},
		{listResult, `output`, `must be a list, is a map`},
		{timeResult, `output.at`, fmt.Sprint(at)},
		{timeResult, `timestamp(output.at)`, fmt.Sprint(at)},
		{timeResult, `output.ms`, `1500`},
		{timeResult, `output.length`, `must be a time: a timestamp, RFC 3339 text or Unix milliseconds, is the string "1m30s"`},
		{durationResult, `output.length`, `90000`},
		{durationResult, `duration('5m')`, `300000`},
		{durationResult, `output.ms * 2`, `3000`},
		{durationResult, `timestamp('2026-02-03T00:00:00Z') - timestamp('2026-02-03T00:00:01Z')`, `-1000`},
		{durationResult, `output.at`, `must be a length of time`},
	} {
		value, err := of[c.want](mustCompile(t, c.source, c.want))
		got := fmt.Sprint(value)
		if err != nil {
			got = err.Error()
		}
		if got != c.value && (err == nil || !strings.Contains(got, c.value)) {
			t.Errorf("%s = %s, want %s", c.source, got, c.value)
		}
	}
}

// TestScopeReadsOnceAndOnlyWhatIsReached counts what a scope asks for.
func TestScopeReadsOnceAndOnlyWhatIsReached(t *testing.T) {
	var asked []string
	values := example()
	s := &Scope{Resolve: func(name string) ([]byte, bool, error) {
		asked = append(asked, name)
		return []byte(values[name]), values[name] != "", nil
	}}
	for _, source := range []string{
		`has(message) && event.key == 'k' && run.id == 'r1'`,
		`output.count == 4 || run.id == 'r1'`,
		`output.count + size(steps.answer.output.text) + size(steps.answer.output.text) == 8`,
	} {
		if _, err := mustCompile(t, source, boolResult).Bool(s); err != nil {
			t.Fatal(err)
		}
	}
	s.Forget("output", "item")
	if _, err := mustCompile(t, `output.count == 4 && !has(message)`, boolResult).Bool(s); err != nil {
		t.Fatal(err)
	}
	if want := []string{"message", "output", "steps/answer", "output"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %v, want %v", asked, want)
	}
}

// TestScopeFailureEndsTheEvaluation keeps what could not be read from passing for a result.
func TestScopeFailureEndsTheEvaluation(t *testing.T) {
	broken := errors.New("disk")
	s := &Scope{Resolve: func(name string) ([]byte, bool, error) {
		if name == "run" {
			return nil, false, broken
		}
		return []byte(`{"x":true}`), true, nil
	}}
	for _, source := range []string{`run.x || true`, `has(run) || true`, `run.x || output.x`} {
		if _, err := mustCompile(t, source, boolResult).Bool(s); !errors.Is(err, broken) {
			t.Errorf("%s: %v, want the failure to read", source, err)
		}
	}
	if ok, err := mustCompile(t, `output.x`, boolResult).Bool(s); !ok || err != nil {
		t.Errorf("what reads something else: %v, %v", ok, err)
	}
}

// TestExprIsShared evaluates one expression in several goroutines: the race detector looks on.
func TestExprIsShared(t *testing.T) {
	e := mustCompile(t, `output.chunks.filter(c, c.text.matches('^[ab]$')).map(c, {'t': c.text, 'n': 1 + 0.5}).size() == 2`, boolResult)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				if ok, err := e.Bool(scopeOf(example())); !ok || err != nil {
					t.Errorf("%v, %v", ok, err)
				}
			}
		})
	}
	group.Wait()
}

// TestDecodeValue holds the reader of JSON to that of encoding/json.
func TestDecodeValue(t *testing.T) {
	for _, text := range []string{
		`null`, ` [ 1 , 2.5 , -0.0, 1e3, "a\u00e9\ud83d\ude00\n\\", {} , [] ] `, `{"b":1,"a":{"c":[true,false]},"b":2}`,
		`"\ud800"`, "\"\xff\xfe\"", `"ä"`, `{"":{"":""}}`, `0`, `-0`, `-1`, `9223372036854775807`, `1E-7`, `1e21`,
		``, `{`, `[1,]`, `{"a"}`, `{"a":1,}`, `01`, `1.`, `.5`, `+1`, `1e`, `nul`, `"a`, `"\x"`, "\"\n\"", `[1] 2`, `'a'`, `"\`, `{a:1}`, `-`,
	} {
		checkDecode(t, []byte(text))
	}
	if _, err := decodeValue([]byte(strings.Repeat("[", 200) + strings.Repeat("]", 200))); err == nil || !strings.Contains(err.Error(), "nested deeper than 100") {
		t.Errorf("a deep value: %v", err)
	}
	if _, err := decodeValue([]byte(`1e999`)); err == nil {
		t.Error("a number beyond all doubles was read")
	}
}

// checkDecode compares with encoding/json.
func checkDecode(t *testing.T, text []byte) {
	t.Helper()
	value, err := decodeValue(text)
	if err != nil {
		if errors.Is(err, errNotJSON) && json.Valid(text) {
			t.Fatalf("%q is JSON, and was refused", text)
		}
		return
	}
	if !json.Valid(text) {
		t.Fatalf("%q is not JSON, and was read", text)
	}
	got, err := appendValue(nil, value, 0)
	if err != nil {
		return
	}
	var theirs, ours any
	if json.Unmarshal(text, &theirs) != nil || json.Unmarshal(got, &ours) != nil {
		t.Fatalf("%q became %q", text, got)
	}
	if !reflect.DeepEqual(theirs, ours) {
		t.Fatalf("%q became %q", text, got)
	}
}

// FuzzDecodeValue is TestDecodeValue with any text.
func FuzzDecodeValue(f *testing.F) {
	f.Add([]byte(`{"b":[1,2.5,"x\n"],"a":null}`))
	f.Fuzz(func(t *testing.T, text []byte) { checkDecode(t, text) })
}
