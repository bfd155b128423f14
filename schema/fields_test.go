package schema

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestTable is what the code takes for granted of the table.
func TestTable(t *testing.T) {
	if rows, fields := len(Fields), reflect.TypeFor[Flow]().NumField(); rows != fields {
		t.Errorf("%d rows for %d fields of Flow", rows, fields)
	}
	seen := map[any]string{}
	for i := range Fields {
		f := &Fields[i]
		var flow Flow
		for _, key := range []any{f.Path, f.Form, f.Name, reflect.ValueOf(f.ref(&flow)).Pointer() - reflect.ValueOf(&flow).Pointer()} {
			if other, twice := seen[key]; twice && key != "" {
				t.Errorf("%s and %s share %v", f.Path, other, key)
			}
			seen[key] = f.Path
		}
		if f.Default != nil {
			if err := f.Set(&flow, f.Default); err != nil {
				t.Error(err)
			}
		}
		if f.Doc == "" || f.Bit() == 0 || FieldByPath(f.Path) != f {
			t.Errorf("row %s is not complete", f.Path)
		}
		if f.Type == Int && f.Max <= f.Min {
			t.Errorf("%s has no bounds", f.Path)
		}
		if f.SID != "" && sidTypes[f.SID] == "" {
			t.Errorf("%s: SIDs of the kind %s have no name", f.Path, f.SID)
		}
	}
}

// TestFlowJSON is the law that a flow reads back from its JSON.
func TestFlowJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := genFlow().Draw(t, "flow")
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Flow
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("flow (-want +got):\n%s\n%s", diff, data)
		}
		for i := range Fields {
			f := &Fields[i]
			if !f.Equal(&want, &got) || f.Get(&want) != f.Get(&got) {
				t.Fatalf("%s differs", f.Path)
			}
		}
	})
}
