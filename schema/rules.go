package schema

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"flexsync/internal/nearest"
	"flexsync/internal/secret"
	"flexsync/internal/yamldoc"
)

// complaint is what is wrong with a value, and what to do about it. The zero
// complaint is none.
type complaint yamldoc.Complaint

// checkString applies the rules of the field to a string. It knows neither the
// other fields nor whether the field may be omitted.
func (f *Field) checkString(s string) complaint {
	switch {
	case !utf8.ValidString(s):
		return complaint{yamldoc.Quote(s) + " is not valid UTF-8", ""}
	case f.Enum != nil && f.rule == nil && !slices.Contains(f.Enum, s):
		return f.wrongWord(s)
	case f.SIDOrName && s == "":
		return complaint{"an empty string is neither a SID nor a name", fmt.Sprintf("write a SID (%s) or a unique name, or omit the key", sidForm(f.SID))}
	case f.SIDOrName && isAnySID(s) && !IsSID(f.SID, s):
		return wrongSID(f.SID, s)
	case f.SID != "" && !f.SIDOrName && !IsSID(f.SID, s):
		c := wrongSID(f.SID, s)
		if f.Name != "" && !looksLikeSID(s) && s != "" {
			c.Hint = "to use the name instead of the SID, write " + f.Name
		}
		return c
	case f.rule != nil:
		return f.rule.check(s)
	}
	return complaint{}
}

// checkInt applies the bounds of the field to an integer.
func (f *Field) checkInt(n int64) complaint {
	if n < f.Min || n > f.Max {
		return complaint{fmt.Sprintf("%d is out of range", n), fmt.Sprintf("write a number from %d to %d", f.Min, f.Max)}
	}
	return complaint{}
}

// checkReference applies the rules to a name that stands for the field's SID.
func (f *Field) checkReference(name string) complaint {
	switch {
	case name == "":
		return complaint{"the name is empty", "write the name, or " + f.Path + " with the SID"}
	case !utf8.ValidString(name):
		return complaint{yamldoc.Quote(name) + " is not valid UTF-8", ""}
	case IsSID(f.SID, name):
		return complaint{fmt.Sprintf("%s is a SID, not a name", name), fmt.Sprintf("write %s: %s", f.Path, name)}
	}
	return complaint{}
}

// rule is what holds for a text beyond the columns of its field.
type rule struct {
	check   func(string) complaint
	pattern object // what JSON Schema can say of it
}

var (
	nameRule = &rule{checkName, nameSchema}
	urlRule  = &rule{checkURL, orVariable(reURL)}
)

// checkName is the rule on friendly names.
func checkName(s string) complaint {
	switch {
	case s == "":
		return complaint{"the name is empty", "write a name: it identifies the flow"}
	case strings.ContainsFunc(s, unicode.IsControl):
		return complaint{fmt.Sprintf("the name %s contains a control character", yamldoc.Quote(s)), "remove line breaks, tabs and other control characters"}
	case !utf8.ValidString(s):
		return complaint{yamldoc.Quote(s) + " is not valid UTF-8", ""}
	}
	return complaint{}
}

// checkURL is the rule on webhooks.
func checkURL(s string) complaint {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.ContainsFunc(s, unicode.IsSpace) {
		return complaint{fmt.Sprintf("%s is not an absolute http or https URL with a host", yamldoc.Quote(s)), "write it like https://hooks.example.com/flexflow"}
	}
	return complaint{}
}

func (f *Field) wrongWord(s string) complaint {
	c := complaint{fmt.Sprintf("%s is not one of %s", yamldoc.Quote(s), strings.Join(f.Enum, ", ")), ""}
	bare := nearest.Fold(s)
	near := f.words[bare]
	if near == "" {
		near = nearest.Word(s, f.Enum)
	}
	switch {
	case near != "":
		c.Message += "; did you mean " + near + "?"
	case bare != "":
		c.Hint = cmp.Or(f.hints[bare], f.otherwise)
	case s == "":
		c.Hint = "write one of them, or omit the key"
	}
	return c
}

// sidTypes names the SIDs that may be mistaken for one another.
var sidTypes = map[string]string{
	"AC": "account", "CH": "chat channel", "CR": "credential", "FN": "proxy or function", "FO": "Flex Flow", "FW": "Studio flow",
	"IG": "address configuration", "IS": "chat service", "KS": "Proxy service", "MG": "messaging service", "PN": "phone number",
	"SK": "API key", "TC": "task channel", "WK": "worker", "WQ": "task queue", "WS": "workspace", "WW": "workflow",
}

func sidForm(prefix string) string { return prefix + " and 32 hex digits" }

// IsSID reports whether s is prefix and 32 hex digits, which is the form of
// every Twilio SID (OpenAPI: "^FO[0-9a-fA-F]{32}$").
func IsSID(prefix, s string) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	return ok && len(rest) == 32 && strings.Trim(rest, "0123456789abcdefABCDEF") == ""
}

// isAnySID reports whether s has the form of a SID of any type.
func isAnySID(s string) bool { return looksLikeSID(s) && IsSID(s[:2], s) }

// looksLikeSID reports whether s was meant to be a SID, well-formed or not.
func looksLikeSID(s string) bool {
	return len(s) > 20 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z' && !strings.ContainsAny(s, " .-/:")
}

// wrongSID says why s is not a SID that begins with prefix.
func wrongSID(prefix, s string) complaint {
	expected := fmt.Sprintf("expected a SID of type %s (%s), found ", prefix, sidTypes[prefix])
	c := complaint{Hint: "write " + sidForm(prefix)}
	switch {
	case isAnySID(s):
		c.Message = expected + s
		if other := sidTypes[s[:2]]; other != "" {
			c.Message += " (" + other + ")"
		}
	case looksLikeSID(s) && strings.HasPrefix(s, prefix) && len(s) != 34:
		c.Message = fmt.Sprintf("%s is not a SID: it has %d characters, not 34", yamldoc.Quote(s), utf8.RuneCountInString(s))
	case looksLikeSID(s) && strings.HasPrefix(s, prefix):
		c.Message = fmt.Sprintf("%s is not a SID: not all characters after %s are hex digits", yamldoc.Quote(s), prefix)
	default:
		c.Message = expected + yamldoc.Quote(s)
	}
	return c
}

// Problems says why a resource of an account cannot be declared in YAML: one
// "path: message" for each field that is at fault, none for one that can.
func (o *Object) Problems() []string {
	var texts []string
	for f := range o.Kind.In(o.Kind.of(o.Variant())) {
		var c complaint
		switch v := o.Get(f).(type) {
		case nil:
			if f.Required {
				c.Message = "is missing"
			}
		case string:
			if !secret.IsShown(v) { // of a report, to be put back
				c = f.checkString(v)
			}
		case int64:
			c = f.checkInt(v)
		case WordSet:
			c = f.checkWords(v.List())
		}
		if c.Message != "" {
			texts = append(texts, f.Path+": "+c.Message)
		}
	}
	if o.Kind.refuse != nil {
		if f, c := o.Kind.refuse(o); f != nil {
			texts = append(texts, f.Path+": "+c.Message)
		}
	}
	return texts
}
