"""The gradient of a loss of a whole batch, whose rows are computed part by part.

A loss such as a correlation depends on all rows of a batch and is not a sum over parts,
but the network computes each row by itself. The gradient takes three steps. First the
input of the loss, which is codes and errors, is computed for all rows. Then the
gradient of the loss with respect to this input is computed. Last, part by part again,
this gradient is multiplied by the Jacobian of the network. Parts are as small as the
memory requires, and each process has parts of its own.
"""

import torch

from skcrl.deep.modules import RandomLayer


def outputs_of_all(net, batch):
    """Outputs of the module for the whole batch, from the share of each process."""
    outputs = net.outputs_by_rows(batch)
    if net.processes.size > 1:
        outputs = _gathered(net, batch, outputs)
    return net.outputs_across_rows(outputs, batch)


def backward(net, batch):
    """Return the loss of a whole batch; leave its gradient in the parameters.

    Parameters
    ----------
    net : TwoViewNet
        A net in training mode, whose gradients are 0.
    batch : PairBatch
        The share of this process.
    """
    processes, module = net.processes, net.module_
    parts = [_Part(net, rows) for rows in batch.parts(net.micro_batch_size)]
    loss, of_own = _loss_and_gradient(net, batch, parts)
    if processes.rank > 0:
        # So far the parameters have only the gradient of what is computed from all rows
        # or from the weights themselves. It is the same in every process, and the first
        # process keeps it.
        module.zero_grad(set_to_none=False)
    # Layers that keep running statistics must count each row only once.
    kept = [] if len(parts) == 1 else [(b, b.clone()) for b in module.buffers()]
    for part in parts:
        of_own = part.backward(of_own)
    with torch.no_grad():
        for buffer, value in kept:
            buffer.copy_(value)
    if processes.size > 1:
        processes.add_up_gradients(module.parameters())
    return loss


def _loss_and_gradient(net, batch, parts):
    """Loss, and its gradient with respect to the outputs for the rows of this process.

    If the batch has several parts, their outputs are not kept in memory.
    """
    is_one = len(parts) == 1
    own = parts[0].compute(with_graph=True) if is_one else _computed(parts, batch)
    whole = own if net.processes.size == 1 else _gathered(net, batch, own)
    leaves = _each(
        whole,
        # Class numbers are integers, which have no gradient.
        lambda _, o: o.detach().requires_grad_(o.is_floating_point()),
    )
    outputs = net.outputs_across_rows(leaves, batch)
    loss = net.get_loss(outputs, None, X=batch, training=True)
    loss.backward()
    of_own = _each(leaves, lambda name, leaf: _own(net, batch, name, leaf.grad))
    return loss.detach(), of_own


class _Part:
    """Some rows of a batch.

    If they go through the module a second time, they get the same random numbers.
    """

    def __init__(self, net, rows):
        self.net = net
        self.rows = rows
        self.outputs = None

    def compute(self, with_graph):
        """Outputs of the rows; without the graph, ``backward`` computes them again."""
        self.states = self._random_states()
        with torch.set_grad_enabled(with_graph):
            outputs = self._pass()
        if with_graph:
            self.outputs = outputs
        return outputs

    def backward(self, gradients):
        """Propagate the gradients of these rows; return those of the following rows.

        The first rows of `gradients` are those of this part.
        """
        outputs = self.outputs
        if outputs is None:
            self._replay()
            outputs = self._pass()
        reached, of_reached, follow = [], [], gradients
        for name, output in _tensors(outputs):
            gradient = getattr(gradients, name)
            if gradient is not None:
                follow = follow._replace(**{name: gradient[len(output) :]})
                if output.requires_grad:
                    reached.append(output)
                    of_reached.append(gradient[: len(output)])
        if reached:
            torch.autograd.backward(reached, of_reached)
        return follow

    def _pass(self):
        for layer in self._random_layers():
            layer.margins = self.rows.drawn_around(layer.rows)
        return self.net.outputs_by_rows(self.rows)

    def _random_layers(self):
        layers = self.net.module_.modules()
        return [layer for layer in layers if isinstance(layer, RandomLayer)]

    def _random_states(self):
        states = [layer.generator.get_state() for layer in self._random_layers()]
        # The user's modules draw from torch's global generators.
        of_users = None
        if self.net.holds_users_modules:
            of_users = torch.get_rng_state(), _cuda_state(self.net.device)
        return states, of_users

    def _replay(self):
        states, of_users = self.states
        for layer, state in zip(self._random_layers(), states, strict=True):
            layer.generator.set_state(state)
        if of_users is not None:
            of_torch, of_cuda = of_users
            torch.set_rng_state(of_torch)
            if of_cuda is not None:
                torch.cuda.set_rng_state(of_cuda, self.net.device)


def _cuda_state(device):
    on_cuda = torch.device(device).type == "cuda"
    return torch.cuda.get_rng_state(device) if on_cuda else None


def _tensors(outputs):
    """Names and values of the outputs that are not None."""
    return [
        (name, output)
        for name, output in outputs._asdict().items()
        if output is not None
    ]


def _each(outputs, function):
    return type(outputs)(
        **{name: function(name, output) for name, output in _tensors(outputs)}
    )


def _computed(parts, batch):
    """Outputs of all parts, in tensors that are allocated after the first part."""
    whole, n_done = None, dict.fromkeys(batch.keys(), 0)
    for part in parts:
        outputs = part.compute(with_graph=False)
        if whole is None:
            whole = _each(
                outputs,
                lambda name, output: output.new_empty(
                    len(batch[_view_of(name)]), *output.shape[1:]
                ),
            )
        for name, output in _tensors(outputs):
            start = n_done[_view_of(name)]
            getattr(whole, name)[start : start + len(output)] = output
        for name, view in part.rows.views.items():
            n_done[name] += len(view)
    return whole


def _gathered(net, batch, outputs):
    return _each(
        outputs,
        lambda name, output: net.processes.gathered(
            output, batch.n_rows(_view_of(name))
        ),
    )


def _own(net, batch, name, gradient):
    """Rows of a gradient that belong to this process; None if there is no gradient."""
    if gradient is None:
        return None
    return gradient[net.processes.share(batch.n_rows(_view_of(name)))]


def _view_of(output):
    """Name of the view whose rows an output of this name has."""
    only = [name for name in ("x_only", "y_only") if output.startswith(name)]
    return only[0] if only else "x"
