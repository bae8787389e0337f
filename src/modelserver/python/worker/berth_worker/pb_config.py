"""Helpers around a model's configuration, and what `auto_complete_config` gets and gives back."""

import json


def _by_name(ports, name):
    return next((port for port in ports if port["name"] == name), None)


def get_input_config_by_name(model_config, name):
    return _by_name(model_config.get("input", ()), name)


def get_output_config_by_name(model_config, name):
    return _by_name(model_config.get("output", ()), name)


def using_decoupled_model_transaction_policy(model_config):
    return model_config.get("model_transaction_policy", {}).get("decoupled", False)


class ModelConfig:
    """A configuration that a model may complete; what is written down is not changed. Texts are Triton's."""

    def __init__(self, model_config):
        self._model_config = json.loads(model_config)

    def as_dict(self):
        return self._model_config

    def set_max_batch_size(self, max_batch_size):
        written = self._model_config["max_batch_size"]
        if written > max_batch_size:
            raise ValueError(
                "configuration specified max_batch_size %s, but in auto-complete-config function for model '%s' "
                "specified max_batch_size %s" % (written, self._name, max_batch_size)
            )
        self._model_config["max_batch_size"] = max_batch_size

    def set_dynamic_batching(self):
        for scheduler in ("sequence_batching", "ensemble_scheduling"):
            if scheduler in self._model_config:
                raise ValueError(
                    "Configuration specified scheduling_choice as '%s', but auto-complete-config function for model '%s' "
                    "tries to set scheduling_choice as 'dynamic_batching'" % (scheduler, self._name)
                )
        self._model_config.setdefault("dynamic_batching", {})

    def set_model_transaction_policy(self, transaction_policy_dict):
        if any(name != "decoupled" for name in transaction_policy_dict):
            raise ValueError(
                "model transaction property in auto-complete-config function for model '%s' contains property other than "
                "'decoupled'." % self._name
            )
        policy = self._model_config.setdefault("model_transaction_policy", {})
        wanted = transaction_policy_dict.get("decoupled", policy.get("decoupled"))
        if policy.get("decoupled", wanted) != wanted:
            raise ValueError(
                "trying to change decoupled property in auto-complete-config for model '%s', which is already set to '%s'."
                % (self._name, policy["decoupled"])
            )
        if wanted is not None:
            policy["decoupled"] = wanted

    def add_input(self, input):
        self._add("input", input, ("name", "data_type", "dims", "optional"))

    def add_output(self, output):
        self._add("output", output, ("name", "data_type", "dims"))

    @property
    def _name(self):
        return self._model_config["name"]

    def _add(self, kind, port, known):
        place = "in auto-complete-config function for model '%s'" % self._name
        if any(key not in known for key in port):
            quoted = ["'%s'" % name for name in known]
            listed = ", ".join(quoted[:-1]) + " and " + quoted[-1]
            raise ValueError("%s '%s' %s contains property other than %s." % (kind, port.get("name"), place, listed))
        for key in ("name", "data_type", "dims"):
            if key not in port:
                shown = kind if key == "name" else "%s '%s'" % (kind, port["name"])
                raise ValueError("%s %s is missing '%s' property." % (shown, place, key))
        written = _by_name(self._model_config[kind], port["name"])
        if written is None:
            self._model_config[kind].append(port)
            return
        self._refuse_other(kind, written, port)
        written.update(port)

    def _refuse_other(self, kind, written, port):
        if written["data_type"] not in ("TYPE_INVALID", port["data_type"]):
            raise ValueError(
                "unable to load model '%s', configuration expects datatype %s for %s '%s', model provides %s"
                % (self._name, written["data_type"], kind, port["name"], port["data_type"])
            )
        for key in ("dims", "optional"):
            # A default value is not written down.
            if key in port and written.get(key) and list_of(written[key]) != list_of(port[key]):
                raise ValueError(
                    "model '%s', tensor '%s': the model expects %s %s but the model configuration specifies %s %s"
                    % (self._name, port["name"], key, port[key], key, written[key])
                )


def list_of(value):
    return list(value) if isinstance(value, tuple) else value
