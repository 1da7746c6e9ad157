"""The recorder: sees every ATen operation of one call and writes the pure tape."""

from __future__ import annotations

import sys
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from pytest_gradcheck.frameworks.torch.lowering import alias, registry
from pytest_gradcheck.frameworks.torch.lowering.alias import MemoryLayout
from pytest_gradcheck.frameworks.torch.lowering.aten.tools import cast
from pytest_gradcheck.frameworks.torch.lowering.convert import numpy_dtype, to_numpy
from pytest_gradcheck.frameworks.torch.lowering.frames import in_a_function, location
from pytest_gradcheck.frameworks.torch.lowering.operations import (
    ALLOCATION_ONLY,
    BLIND,
    EMPTY,
    OVERWRITES,
    SAMPLERS,
    Info,
    functional_form,
)
from pytest_gradcheck.frameworks.torch.lowering.tape import (
    Array,
    Dtype,
    Entry,
    LoweringError,
    Observer,
    OpaqueError,
    Site,
    Slot,
    Tape,
    TapeNode,
    slots_in,
)
from pytest_gradcheck.frameworks.torch.private import Mode, memory_of

#: A dict, because torch's compiler, which may run the recorder, warns about `functools.cache`.
_infos: dict[Any, Info] = {}
_META = torch.device("meta")


@dataclass(slots=True, eq=False)
class _Entry:
    """One tensor that the recorder has seen. Holds it, so no other can get its id."""

    tensor: torch.Tensor
    slot: int | None
    store: _Store
    dependent: bool
    lies: MemoryLayout | None = None

    def layout(self) -> MemoryLayout:
        """The layout of the tensor in its store; changes of it set ``lies`` to None."""
        if self.lies is None:
            self.lies = alias.layout_of(self.tensor)
        return self.lies

    def elements(self) -> int:
        """How many elements of the tensor's dtype its memory has room for."""
        return self.tensor.untyped_storage().nbytes() // self.tensor.element_size()

    def covers(self) -> bool:
        """Whether the tensor shows all of its memory."""
        return alias.covers(self.layout(), self.elements())


@dataclass(slots=True, eq=False)
class _Store:
    """Memory that tensors share."""

    entries: list[_Entry] = field(default_factory=list)
    content: tuple[int, MemoryLayout] | None = None
    #: Written over the content since, to parts of it.
    pending: list[tuple[int, MemoryLayout]] = field(default_factory=list)
    #: Whether a tensor in it is detached from others.
    stopped: bool = False
    #: Whether a value that depends on the inputs was written in place.
    written: bool = False


class TapeRecorder(Mode):
    """Records what happens inside its ``with`` block on a tape; see `trace`.

    Operations that have a rule are recorded as they are; others are decomposed on the fly, running the
    decomposition in place of the operation. An operation that does not depend on an input is not recorded:
    its result is a constant, captured when a recorded operation first uses it.
    """

    def __init__(self, observer: Observer | None = None, *, hold_stops: bool = False) -> None:
        super().__init__()
        self.tape = Tape()
        self.escapes: list[Site] = []
        self.stop_gradients: list[Site] = []
        self.frozen: list[Site] = []
        self._entries: dict[int, _Entry] = {}
        self._stores: dict[int, _Store] = {}
        self._unfilled: dict[int, tuple[torch.Tensor, str]] = {}
        self._shapes: dict[int, tuple[torch.Size, torch.dtype]] = {}
        self._observer = observer
        self._hold_stops = hold_stops
        #: Whether the function itself has turned gradients off.
        self.no_grad = False

    # ------------------------------------------------------------------ what is known of a tensor

    def _entry(self, tensor: torch.Tensor) -> _Entry:
        entry = self._entries.get(id(tensor))
        if entry is not None:
            return entry
        store = self._store(tensor)
        # A tensor that no operation gave us, in memory that we know: aliases made out of sight
        # (Tensor._make_subclass, numpy() and from_numpy, DLPack).
        dependent = store.written or any(e.dependent for e in store.entries)
        return self._enter(tensor, None, store, dependent)

    def _store(self, tensor: torch.Tensor) -> _Store:
        if tensor.layout is not torch.strided:
            raise LoweringError(
                f"a tensor of layout {tensor.layout} has no counterpart on the reference engine"
            )
        key = memory_of(tensor.untyped_storage())
        store = self._stores.get(key)
        if store is None:
            store = self._stores[key] = _Store()
        return store

    def _enter(self, tensor: torch.Tensor, slot: int | None, store: _Store, dependent: bool) -> _Entry:
        entry = _Entry(tensor, slot, store, dependent)
        self._entries[id(tensor)] = entry
        store.entries.append(entry)
        return entry

    def depends(self, tensor: torch.Tensor) -> bool:
        """Whether the tensor's value was computed from the inputs."""
        return self._entry(tensor).dependent

    def add_input(self, tensor: torch.Tensor) -> None:
        """Make a tensor the next input of the tape."""
        slot = self.tape.new_slot()
        self.tape.inputs.append(slot)
        self.tape.input_dtypes.append(numpy_dtype(tensor.dtype))
        self._enter(tensor, slot, self._store(tensor), True)

    def add_output(self, tensor: torch.Tensor) -> None:
        """Make a tensor's value the next output of the tape."""
        self.tape.outputs.append(self._read(tensor))

    # ------------------------------------------------------------------ values

    def _constant(self, array: Array) -> int:
        slot = self.tape.new_slot()
        self.tape.constants[slot] = array
        return slot

    def _read(self, tensor: torch.Tensor) -> int:
        """The slot that holds the tensor's present value."""
        entry = self._entry(tensor)
        if entry.slot is not None:
            return entry.slot
        if not entry.dependent:
            entry.slot = self._capture(tensor)
            return entry.slot
        layout = entry.layout()
        store = entry.store
        if store.content is None:
            self._establish(store, tensor)
        assert store.content is not None
        slot, held = store.content
        if held == layout and not store.pending:
            entry.slot = slot
            return slot
        flat = self._flat(store, layout.dtype, entry.elements())
        if tensor.is_contiguous() and entry.covers():
            entry.slot = self._emit("reshape", np.reshape, (Slot(flat), layout.shape))
        else:
            index = Slot(self._constant(alias.positions(layout)))
            entry.slot = self._emit(
                "gather", alias.gather, (Slot(flat), index, layout.conj, layout.neg), layout
            )
        return entry.slot

    def _capture(self, tensor: torch.Tensor) -> int:
        unfilled = self._unfilled.get(memory_of(tensor.untyped_storage()))
        if unfilled is not None and tensor.numel():
            raise OpaqueError(
                f"memory from {unfilled[1]} was filled where the recording cannot see it (a compiled "
                "extension, or NumPy through Tensor.numpy())",
                unfilled[1],
            )
        return self._constant(to_numpy(tensor))

    def _emit(
        self, name: str, rule: Callable[..., Any], args: tuple[Any, ...], like: MemoryLayout | None = None
    ) -> int:
        """A node of our own with one result."""
        out = self.tape.new_slot()
        dtype = None if like is None else numpy_dtype(like.dtype)
        reads = tuple(slot for arg in args for slot in slots_in(arg))
        self.tape.nodes.append(TapeNode(f"lowering::{name}", rule, args, {}, (out,), (dtype,), True, reads))
        return out

    def stop(self, tensor: torch.Tensor) -> None:
        """Mark a value as hidden from autograd, if requested."""
        if not self._hold_stops or not (tensor.is_floating_point() or tensor.is_complex()):
            return
        entry = self._entry(tensor)
        if entry.dependent:
            entry.slot = self._emit("stop", _as_it_is, (Slot(self._read(tensor)),), alias.layout_of(tensor))
            entry.store.stopped = True
            self.tape.stops.append(entry.slot)

    # ------------------------------------------------------------------ stores that are written to

    def _establish(self, store: _Store, tensor: torch.Tensor) -> None:
        """Give a store the content that it has now, before its first write."""
        known = [e for e in store.entries if e.slot is not None and e.dependent]
        for entry in known:
            if entry.covers():
                assert entry.slot is not None
                store.content = (entry.slot, entry.layout())
                return
        # No tensor shows the whole store: what the tape knows is laid over the bytes that are there.
        sample = known[0].tensor if known else tensor
        whole = torch.empty(0, dtype=sample.dtype, device=sample.device).set_(sample.untyped_storage())
        key = memory_of(sample.untyped_storage())
        slot = self._constant(
            np.zeros(whole.shape, numpy_dtype(whole.dtype)) if key in self._unfilled else to_numpy(whole)
        )
        store.content = (slot, alias.flat_layout(whole.numel(), whole.dtype))
        inputs = [e for e in known if e.slot in self.tape.inputs]
        for entry in inputs or known[:1]:
            assert entry.slot is not None
            self._lay_over(entry, entry.slot)

    def _flat(self, store: _Store, dtype: torch.dtype, elements: int) -> int:
        """The slot of the store's content as one axis of the given dtype."""
        assert store.content is not None
        slot, layout = store.content
        size = int(np.prod(layout.shape, dtype=np.int64))
        pending, store.pending = store.pending, []
        if pending:
            for part, where in pending:
                flat = self._flat(store, where.dtype, size * layout.dtype.itemsize // where.dtype.itemsize)
                now = store.content[1].shape[0]
                source = Slot(self._constant(alias.source_of(where, now)))
                args = (Slot(flat), source, Slot(part), where.conj, where.neg)
                flat = self._emit("scatter", alias.scatter, args, where)
                store.content = (flat, alias.flat_layout(now, where.dtype))
            return self._flat(store, dtype, elements)
        if layout != alias.flat_layout(size, layout.dtype):
            slot = self._emit("flatten", alias.flatten, (Slot(slot), alias.memory_order(layout)))
            store.content = (slot, alias.flat_layout(size, layout.dtype))
        if layout.dtype == dtype:
            return slot
        if layout.dtype.is_complex and dtype == layout.dtype.to_real():
            slot = self._emit("complex_as_real", alias.complex_as_real, (Slot(slot),))
        elif dtype.is_complex and layout.dtype == dtype.to_real():
            slot = self._emit("real_as_complex", alias.real_as_complex, (Slot(slot),))
        else:
            raise LoweringError(
                f"memory written as {layout.dtype} is read as {dtype}: the bits have no derivative"
            )
        store.content = (slot, alias.flat_layout(elements, dtype))
        return slot

    def _lay_over(self, entry: _Entry, slot: int) -> None:
        if entry.covers():
            entry.store.content, entry.store.pending = (slot, entry.layout()), []
        else:
            # Only noted: the parts of one result that is split and changed in place, as in an LSTM, are never
            # joined again.
            entry.store.pending.append((slot, entry.layout()))

    def _prepare_write(self, tensor: torch.Tensor) -> None:
        """Before the memory changes: know what is in it."""
        entry = self._entry(tensor)
        if entry.store.content is None and not entry.covers():
            self._establish(entry.store, tensor)

    def _write(self, tensor: torch.Tensor, slot: int) -> None:
        """After an in-place operation: the tensor's value is now that of the slot."""
        entry = self._entry(tensor)
        store = entry.store
        if self._hold_stops and (self.no_grad or store.stopped):
            raise LoweringError(
                "a write under no_grad, or into memory that a detached tensor shares, cannot be told apart "
                f"from what autograd sees (at {location()})"
            )
        self._lay_over(entry, slot)
        store.written = True
        layout, elements = entry.layout(), entry.elements()
        for other in store.entries:
            other.dependent = True
            if other.slot is not None and other is not entry:
                lies = other.layout()
                if lies == layout:
                    other.slot = slot
                elif not alias.disjoint(lies, layout, elements):
                    other.slot = None
        entry.slot = slot
        self._unfilled.pop(memory_of(tensor.untyped_storage()), None)

    # ------------------------------------------------------------------ operations

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        info = _infos.get(func)
        if info is None:
            info = _infos[func] = Info(func)
        if info.mutable:
            return self._mutate(func, info, args, kwargs)
        # On the device for shapes alone, torch tries its decompositions out.
        if info.base in BLIND or kwargs.get("device") == _META or not self._any_depends(args, kwargs):
            out = func(*args, **kwargs)
            if info.base in EMPTY:
                self._unfilled[memory_of(out.untyped_storage())] = (out, info.name)
            return out
        if not info.gives_tensors:
            if info.base == "_local_scalar_dense" and (args[0].is_floating_point() or args[0].is_complex()):
                self.note(self.escapes, info.name)
            return func(*args, **kwargs)
        if info.base == "as_strided":
            # Strides over memory, independent of the tensor: read from the store like any other alias.
            out = func(*args, **kwargs)
            self._enter(out, None, self._store(out), True)
            return out
        rule = registry.find(info.base, info.overload)
        if rule is not None:
            return self._record(func, info, rule, args, kwargs)
        # Noise stays the same: it is a constant of the tape. So is a sample that autograd treats as one.
        unseen = self._hold_stops and (self.no_grad or info.base == "normal")
        if info.holds_still or (info.base in SAMPLERS and unseen):
            return func(*args, **kwargs)
        if info.base in SAMPLERS:
            raise LoweringError(
                f"{info.name} draws from a distribution that depends on the inputs; how the numbers depend "
                f"on them cannot be seen (at {location()})",
                info.name,
            )
        return self._decompose(func, info, args, kwargs)

    def _any_depends(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        for arg in (*args, *kwargs.values()):
            if isinstance(arg, torch.Tensor):
                if self._entry(arg).dependent:
                    return True
            elif isinstance(arg, (list, tuple)):
                for item in arg:
                    if isinstance(item, torch.Tensor) and self._entry(item).dependent:
                        return True
        return False

    def _argument(self, arg: Any, reads: list[int]) -> Any:
        """An argument as the tape has it; the slots in it are added to ``reads``."""
        if isinstance(arg, torch.Tensor):
            slot = self._read(arg)
            reads.append(slot)
            return Slot(slot)
        if isinstance(arg, (list, tuple)):
            return [self._argument(item, reads) for item in arg]
        if isinstance(arg, torch.dtype):
            return Dtype(numpy_dtype(arg))
        return arg

    def _arguments(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], blank: Container[int] = ()
    ) -> tuple[tuple[Any, ...], dict[str, Any], list[int]]:
        """Arguments as the tape has them, None for those with an id in ``blank``, and the slots in them."""
        reads: list[int] = []
        template = tuple([None if id(arg) in blank else self._argument(arg, reads) for arg in args])
        named = {k: self._argument(v, reads) for k, v in kwargs.items() if k not in ALLOCATION_ONLY}
        return template, named, reads

    def _record(
        self, func: Any, info: Info, rule: Entry, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        # Before running it: arguments may be written to (hidden updates of running statistics).
        hidden = rule.hidden_writes(args) if rule.hidden_writes is not None else ()
        # Memory for noise that the operation is to draw holds nothing yet.
        template, named, reads = self._arguments(
            args, kwargs, [id(t) for t in hidden] if rule.recorded else ()
        )
        for tensor in hidden:
            self._prepare_write(tensor)
        result = func(*args, **kwargs)
        single = not isinstance(result, (tuple, list))
        results: list[Any] = [result] if single else list(result)
        if rule.recorded:
            # Noise that the operation drew itself and hands out next to its result.
            named["recorded"] = [
                Slot(self._constant(to_numpy(r))) if isinstance(r, torch.Tensor) else None
                for r in (*results, *hidden)
            ]
            reads += slots_in(named["recorded"])
        out = self._append(
            info.name, rule.function, template, named, reads, [*results, *hidden], single and not hidden
        )
        for tensor, slot in zip(results, out, strict=False):
            if slot is not None:
                self._enter(tensor, slot, self._store(tensor), True)
                if self.no_grad:
                    self.stop(tensor)
        for tensor, slot in zip(hidden, out[len(results) :], strict=True):
            assert slot is not None
            self._write(tensor, slot)
        return result

    def _append(
        self,
        name: str,
        rule: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        reads: list[int],
        results: list[Any],
        single: bool,
    ) -> list[int | None]:
        """Write an operation down with what it gave; returns the slots of that."""
        out: list[int | None] = []
        dtypes: list[np.dtype[Any] | None] = []
        for tensor in results:
            slot = dtype = None
            if isinstance(tensor, torch.Tensor):
                slot, dtype = self.tape.new_slot(), numpy_dtype(tensor.dtype)
                self._shapes[slot] = (tensor.shape, tensor.dtype)
            out.append(slot)
            dtypes.append(dtype)
        node = TapeNode(name, rule, args, kwargs, tuple(out), tuple(dtypes), single, tuple(reads))
        self.tape.nodes.append(node)
        if self._observer is not None:
            node.location = location()
            kept = [t.detach().clone() if isinstance(t, torch.Tensor) else None for t in results]
            self._observer(node, kept)
        return out

    def _mutate(self, func: Any, info: Info, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        targets: list[torch.Tensor] = []
        for i, name, kwarg_only in info.written:
            value = kwargs.get(name) if kwarg_only or i >= len(args) else args[i]
            if isinstance(value, torch.Tensor):
                targets.append(value)
            elif isinstance(value, (list, tuple)):
                targets.extend(v for v in value if isinstance(v, torch.Tensor))
        if not self._any_depends(args, kwargs):
            out = func(*args, **kwargs)
            for target in targets:
                entry = self._entry(target)
                for other in entry.store.entries:
                    other.slot = None
                self._unfilled.pop(memory_of(target.untyped_storage()), None)
            return out
        rule = registry.find(info.base, info.overload)
        if rule is not None and rule.hidden_writes is not None:
            return self._record(func, info, rule, args, kwargs)
        if info.inplace_view:
            return self._reshape_in_place(func, info, args, kwargs)
        target = targets[0]
        if info.base in OVERWRITES:
            value = None
            if info.base == "copy_" or (info.base == "fill_" and self._any_depends(args[1:], {})):
                value = self._read(args[1])
            self._prepare_write(target)
            out = func(*args, **kwargs)
            slot = self._constant(to_numpy(target)) if value is None else self._broadcast(value, target)
            self._write(target, slot)
            return out
        if info.written[0][0] == 0 and len(targets) == 1:
            # x.op_(y): the rule of op, and its result is the new x.
            rule = registry.find(info.base.removesuffix("_"), info.overload)
            if rule is not None and not rule.recorded and rule.hidden_writes is None:
                return self._in_place(func, info, rule, args, kwargs)
        return self._functional_then_copy(func, info, args, kwargs, targets)

    def _in_place(
        self, func: Any, info: Info, rule: Entry, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        target = args[0]
        template, named, reads = self._arguments(args, kwargs)
        self._prepare_write(target)
        out = func(*args, **kwargs)
        # The target keeps its shape and dtype, whatever the operation would have given.
        template = (rule.function, tuple(target.shape), Dtype(numpy_dtype(target.dtype)), *template)
        (slot,) = self._append(info.name, _into, template, named, reads, [target], True)
        assert slot is not None
        self._write(target, slot)
        return out

    def _broadcast(self, value: int, target: torch.Tensor) -> int:
        if self._shapes.get(value) == (target.shape, target.dtype):
            return value
        layout = alias.layout_of(target)
        return self._emit(
            "copy", _copy_rule, (Slot(value), layout.shape, Dtype(numpy_dtype(target.dtype))), layout
        )

    def _functional_then_copy(
        self,
        func: Any,
        info: Info,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        targets: list[torch.Tensor],
    ) -> Any:
        """``x.op_(y)`` as ``x.copy_(x.op(y))`` and ``op(x, out=y)`` as ``y.copy_(op(x))``.

        One operation fewer to get right per operation, for one copy of the result.
        """
        functional, kwargs = functional_form(func, info, kwargs)
        if functional is None:
            raise LoweringError(f"{info.name} writes in place and has no functional form", info.name)
        with self:
            result = functional(*args, **kwargs)
            results = [result] if isinstance(result, torch.Tensor) else list(result)
            for target, value in zip(targets, results, strict=True):
                if target.shape != value.shape and "out" in info.overload:
                    target.resize_(value.shape)
                target.copy_(value)
        return targets[0] if len(targets) == 1 else tuple(targets)

    def _reshape_in_place(self, func: Any, info: Info, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """``t_``, ``unsqueeze_`` and their like: the tensor changes, its memory does not."""
        target = args[0]
        if info.base in ("resize_", "resize_as_"):
            self.resize(target, lambda: func(*args, **kwargs))
            return target
        if info.base == "set_" and len(args) == 2 and isinstance(args[1], torch.Tensor):
            self.rebind(target, lambda: func(*args, **kwargs))
            return target
        if info.base == "set_":
            raise LoweringError(
                f"{info.name} gives a tensor other memory, which cannot be followed", info.name
            )
        rule = registry.find(info.base.removesuffix("_"), info.overload)
        if rule is None:
            raise LoweringError(f"{info.name} has no rule on the reference engine", info.name)
        template = tuple(self._argument(arg, []) for arg in args)
        out = func(*args, **kwargs)
        entry = self._entry(target)
        entry.lies = None
        entry.slot = self._emit(info.base, rule.function, template, entry.layout())
        return out

    def resize(self, target: torch.Tensor, run: Callable[[], Any]) -> None:
        """Let a tensor show its memory in another shape, more of it if there is not enough."""
        entry = self._entry(target)
        store = entry.store
        before, layout = target.untyped_storage().nbytes(), entry.layout()
        if store.content is None and entry.dependent and target.numel():
            self._establish(store, target)
        elements = before // target.element_size()
        flat = None if store.content is None else self._flat(store, target.dtype, elements)
        run()
        entry.lies = None
        if entry.layout() == layout:
            return
        entry.slot = None
        after = target.untyped_storage().nbytes()
        if flat is not None and after != before:
            # The new part is undefined; zeros cannot be mistaken for a result.
            now = after // target.element_size()
            grown = self._emit("grow", np.pad, (Slot(flat), (0, now - elements)))
            store.content = (grown, alias.flat_layout(now, target.dtype))

    def rebind(self, target: torch.Tensor, run: Callable[[], Any]) -> None:
        """Let a tensor look into the memory of another, as ``Tensor.set_`` and ``x.data = y`` do."""
        if self._hold_stops:
            raise LoweringError(f"cannot tell how autograd treats swapped storage (at {location()})")
        entry = self._entry(target)
        entry.store.entries.remove(entry)
        run()
        entry.store = self._store(target)
        entry.dependent = entry.store.written or any(e.dependent for e in entry.store.entries)
        entry.slot = entry.lies = None
        if entry.store.content is None:
            same = entry.layout()
            entry.slot = next(
                (e.slot for e in entry.store.entries if e.slot is not None and e.layout() == same), None
            )
        entry.store.entries.append(entry)

    def _decompose(self, func: Any, info: Info, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run what the operation consists of in its place, and record that."""
        # torch's own decompositions are written in primitives, of which each is one ATen operation.
        runs = getattr(func, "impl_aten", None) or func.decompose
        for run in (runs,) if info.view else (registry.decomposition(func), runs):
            if run is not None:
                with self:
                    out = run(*args, **kwargs)
                if out is not NotImplemented:
                    return out
        return self._freeze(func, info, args, kwargs)

    def _freeze(self, func: Any, info: Info, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Integer results without a rule are locally constant: the derivative needs their value here only."""
        out = func(*args, **kwargs)
        results = [out] if isinstance(out, torch.Tensor) else out
        if isinstance(results, (tuple, list)) and all(
            isinstance(r, torch.Tensor) and not (r.is_floating_point() or r.is_complex()) for r in results
        ):
            self.note(self.frozen, info.name)
            return out
        raise LoweringError(
            f"{info.name} is opaque: it has neither a rule on the reference engine nor a decomposition. "
            f'Give it one with pytest_gradcheck.lowering.register("{info.name}", function), the function on '
            "NumPy arrays",
            info.name,
        )

    def note(self, sites: list[Site], operation: str) -> None:
        """Note that an operation occurred, and where."""
        site = Site(operation, location(), in_a_function(sys._getframe(1)))
        if site not in sites:
            sites.append(site)

    def release(self) -> None:
        """Release every tensor seen, at once: stores and entries refer to each other."""
        for store in self._stores.values():
            store.entries.clear()
        self._entries.clear()
        self._stores.clear()
        self._unfilled.clear()


def _as_it_is(value: Any) -> Any:
    return value


def _copy_rule(value: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    if value.shape != shape:
        value = np.broadcast_to(value, shape)
    return cast(value, dtype)


def _into(rule: Callable[..., Any], shape: tuple[int, ...], dtype: Any, *args: Any, **kwargs: Any) -> Any:
    value = rule(*args, **kwargs)
    return value if value.shape == shape and value.dtype == dtype else _copy_rule(value, shape, dtype)
