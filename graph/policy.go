package graph

import (
	"github.com/nubedigitalmx/avisa/graph/model"
	ids "github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

func policyInput(in model.SaveReminderPolicyInput) (reminder.PolicyInput, error) {
	out := reminder.PolicyInput{Name: in.Name, SendFrom: in.SendFrom, SendUntil: in.SendUntil, CatchUpDays: in.CatchUpDays, BusinessDays: in.BusinessDays, AttachPDF: in.AttachPDF,
		AttachXML: in.AttachXML, Consolidate: in.Consolidate}
	for _, step := range in.Steps {
		out.Steps = append(out.Steps, *step)
	}
	var err error
	if out.ClientID, err = optional(in.ClientID, ids.ParseClient); err != nil {
		return out, err
	}
	out.GroupID, err = optional(in.GroupID, ids.ParseGroup)
	return out, err
}

// policyTarget names the id that a policy is about.
func policyTarget(in model.SaveReminderPolicyInput) string {
	if in.GroupID != nil {
		return "groupId"
	}
	return "clientId"
}
