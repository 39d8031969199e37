package workflow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxDepth is how deep a definition's objects and lists may be nested.
const maxDepth = 32

// fault is what makes a text unreadable as a whole.
type fault struct {
	line, column int
	message      string
	suggestion   string
}

func (f *fault) Error() string { return f.message }

// readYAML reads the one document of a text. Anchors and aliases are refused, as they let
// a small text stand for a large one.
func readYAML(source []byte) (root *node, err error) {
	// The package is made for texts that one trusts more than those of a tenant.
	defer func() {
		if broken := recover(); broken != nil {
			root, err = nil, &fault{message: fmt.Sprintf("the text cannot be read: %v", broken)}
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(source))
	var document, more yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, &fault{line: 1, column: 1, message: "the text is empty"}
	} else if err != nil {
		return nil, faultOfYAML(err)
	}
	if err := decoder.Decode(&more); err == nil {
		return nil, &fault{line: more.Line, column: more.Column, message: "there is more than one document", suggestion: "deploy each by itself"}
	} else if !errors.Is(err, io.EOF) {
		return nil, faultOfYAML(err)
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 {
		return nil, &fault{line: 1, column: 1, message: "the text is empty"}
	}
	return fromYAML(document.Content[0], 1)
}

// faultOfYAML takes the line out of an error's text, which is the only place that has it.
func faultOfYAML(err error) *fault {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(message); m != nil {
		line, _ := strconv.Atoi(m[1])
		return &fault{line: line, message: message[len(m[0]):]}
	}
	return &fault{message: message}
}

func fromYAML(from *yaml.Node, depth int) (*node, error) {
	if err := checkYAML(from, depth); err != nil {
		return nil, err
	}
	n := &node{line: from.Line, column: from.Column, text: from.Value}
	switch from.Kind {
	case yaml.MappingNode:
		n.kind = kindObject
		for i := 0; i+1 < len(from.Content); i += 2 {
			key, err := fromYAML(from.Content[i], depth+1)
			if err != nil {
				return nil, err
			}
			held, err := fromYAML(from.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			n.entries = append(n.entries, entry{key, held})
		}
	case yaml.SequenceNode:
		n.kind = kindList
		for _, item := range from.Content {
			held, err := fromYAML(item, depth+1)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, held)
		}
	case yaml.ScalarNode, yaml.AliasNode, yaml.DocumentNode:
		n.kind = scalarOfYAML(from)
		if from.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			// What stands below | or > begins on the next line.
			n.line, n.column = n.line+1, 1
		}
	}
	return n, nil
}

// checkYAML refuses what YAML has and JSON has not.
func checkYAML(n *yaml.Node, depth int) error {
	refuse := func(message, suggestion string) error {
		return &fault{line: n.Line, column: n.Column, message: message, suggestion: suggestion}
	}
	switch {
	case depth > maxDepth:
		return refuse(fmt.Sprintf("nested deeper than %d", maxDepth), "")
	case n.Kind == yaml.AliasNode:
		return refuse("aliases are not allowed", "write out what it stands for, or use defaults")
	case n.Anchor != "":
		return refuse("anchors are not allowed", "write out what it stands for, or use defaults")
	case n.ShortTag() == "!!merge":
		return refuse("merge keys are not allowed", "write out what it stands for, or use defaults")
	case n.Style&yaml.TaggedStyle != 0:
		return refuse("tags are not allowed", "leave "+n.Tag+" out")
	}
	return nil
}

func scalarOfYAML(n *yaml.Node) kind {
	switch n.ShortTag() {
	case "!!null":
		return kindNothing
	case "!!bool":
		return kindFlag
	case "!!int", "!!float":
		return kindNumber
	default:
		return kindText
	}
}
