package main

import (
	"bytes"
	"testing"
)

// What bytes from a shell mean.
func TestDataOf(t *testing.T) {
	for _, test := range []struct {
		raw, want string
		binary    bool
	}{
		{`{"a": 1}`, `{"a": 1}`, false},
		{"42\n", "42", false},
		{" null ", "null", false},
		{"hello world\n", `"hello world"`, false},
		{"two\nlines\n", `"two\nlines"`, false},
		{"{} {}", `"{} {}"`, false},
		{"", `""`, false},
		{"\xff\x00", "\xff\x00", true},
	} {
		got, err := dataOf([]byte(test.raw))
		if err != nil || got.String() != test.want || got.IsBytes() != test.binary {
			t.Errorf("%q: %q %v %v", test.raw, got.String(), got.IsBytes(), err)
		}
	}
}

// A command that writes too much is stopped, and its output is not kept.
func TestBounded(t *testing.T) {
	stopped := 0
	b := &bounded{limit: 10, full: func() { stopped++ }}
	for range 100 {
		if n, err := b.Write([]byte("12345")); n != 5 || err != nil {
			t.Fatal(n, err)
		}
	}
	if !b.over || stopped != 1 || len(b.data) > 10 {
		t.Errorf("over %v, stopped %d times, %d bytes", b.over, stopped, len(b.data))
	}
}

// The end of standard error explains a failure.
func TestTail(t *testing.T) {
	k := &tail{limit: 8}
	for range 50 {
		_, _ = k.Write(bytes.Repeat([]byte("x"), 3))
	}
	_, _ = k.Write([]byte("the end"))
	if k.String() != "xthe end" {
		t.Errorf("kept %q", k)
	}
}

// Nothing that comes over the wire steers a terminal.
func TestClean(t *testing.T) {
	if got := clean("a\x1b[31mb\r\nc\u009bd"); got != "a [31mb  c d" {
		t.Errorf("got %q", got)
	}
}
