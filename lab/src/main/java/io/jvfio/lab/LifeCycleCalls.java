// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import io.jvfio.linux.Ioctl;
import io.jvfio.linux.uapi.Vfio;
import java.util.List;
import java.util.Map;

/** Containers and groups: opening, attaching, typing, asking, and closing in any order. */
final class LifeCycleCalls implements Subject {
  private static final List<String> CONTAINERS = List.of("c0", "c1", "c2");
  private static final List<String> GROUPS = List.of("g0", "g1");
  private static final int EXTENSIONS = 12;

  /** Commands that a container takes, or hands to its IOMMU. */
  private static final List<Ioctl> CONTAINER_COMMANDS =
      List.of(
          Vfio.VFIO_IOMMU_GET_INFO,
          Vfio.VFIO_IOMMU_MAP_DMA,
          Vfio.VFIO_IOMMU_UNMAP_DMA,
          Vfio.VFIO_IOMMU_SPAPR_REGISTER_MEMORY,
          Vfio.VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY,
          Vfio.VFIO_IOMMU_SPAPR_TCE_CREATE,
          Vfio.VFIO_IOMMU_SPAPR_TCE_REMOVE,
          Vfio.VFIO_EEH_PE_OP);

  private static final List<Ioctl> GROUP_COMMANDS =
      List.of(
          Vfio.VFIO_GROUP_GET_STATUS, Vfio.VFIO_GROUP_SET_CONTAINER, Vfio.VFIO_GROUP_GET_DEVICE_FD);

  /** Commands of the other kind of file, and none at all. */
  private static final List<Ioctl> NOT_OF_CONTAINERS =
      List.of(
          Vfio.VFIO_GROUP_GET_STATUS,
          Vfio.VFIO_GROUP_SET_CONTAINER,
          Vfio.VFIO_GROUP_UNSET_CONTAINER,
          Vfio.VFIO_GROUP_GET_DEVICE_FD,
          Vfio.VFIO_DEVICE_GET_INFO,
          Vfio.VFIO_DEVICE_RESET,
          new Ioctl("unknown", ';', 0xff));

  private static final List<Ioctl> NOT_OF_GROUPS =
      List.of(
          Vfio.VFIO_GET_API_VERSION,
          Vfio.VFIO_CHECK_EXTENSION,
          Vfio.VFIO_SET_IOMMU,
          Vfio.VFIO_DEVICE_GET_INFO,
          Vfio.VFIO_IOMMU_MAP_DMA,
          Vfio.VFIO_IOMMU_ENABLE,
          new Ioctl("unknown", ';', 0xff));

  @Override
  public void offer(Draft draft, Menu menu) {
    if (draft.containers.size() < CONTAINERS.size()) {
      menu.add(draft.containers.isEmpty() ? 60 : 4, () -> openContainer(draft));
    }
    menu.add(draft.groups.isEmpty() ? 60 : 3, () -> openGroup(draft));
    if (!draft.groups.isEmpty()) {
      boolean detached = draft.groups.values().stream().anyMatch(group -> group.container == null);
      menu.add(detached && !draft.containers.isEmpty() ? 40 : 2, () -> setContainer(draft));
      menu.add(5, () -> draft.steps.status(group(draft), draft.argsz(8)));
      menu.add(3, () -> unsetContainer(draft));
      menu.add(3, () -> closeGroup(draft));
      menu.add(1, () -> draft.steps.badAddress(group(draft), draft.oneOf(GROUP_COMMANDS)));
      menu.add(1, () -> draft.steps.command(group(draft), draft.oneOf(NOT_OF_GROUPS)));
      menu.add(1, () -> draft.steps.readAt(group(draft), 0, 4));
    }
    if (!draft.containers.isEmpty()) {
      boolean untyped =
          !draft
              .containers(container -> container.type == 0 && !container.groups.isEmpty())
              .isEmpty();
      menu.add(untyped ? 40 : 3, () -> setIommu(draft));
      menu.add(4, () -> draft.steps.check(draft.container(), draft.below(EXTENSIONS + 2) - 1));
      menu.add(1, () -> draft.steps.command(draft.container(), Vfio.VFIO_GET_API_VERSION));
      menu.add(2, () -> draft.closeContainer(draft.container()));
      menu.add(2, () -> draft.steps.badAddress(draft.container(), draft.oneOf(CONTAINER_COMMANDS)));
      menu.add(1, () -> draft.steps.command(draft.container(), draft.oneOf(NOT_OF_CONTAINERS)));
      menu.add(1, () -> draft.steps.readAt(draft.container(), 0, 4));
    }
  }

  /** Four steps that most sequences begin with: a container, a group in it, its type. */
  static void ready(Draft draft, String container, String group, int type) {
    draft.steps.container(container);
    draft.containers.put(container, new Draft.Container());
    join(draft, container, group, type);
  }

  /** The last three of them. */
  static void join(Draft draft, String container, String group, int type) {
    draft.steps.group(group, GROUPS.indexOf(group));
    draft.groups.put(group, new Draft.Group());
    attach(draft, group, container);
    draft.steps.setIommu(container, type);
    type(draft, container, type);
  }

  private static void attach(Draft draft, String group, String container) {
    draft.steps.setContainer(group, container);
    var attached = draft.groups.get(group);
    var receiving = draft.containers.get(container);
    if (attached != null && attached.container == null && receiving != null) {
      attached.container = container;
      receiving.groups.add(group);
    }
  }

  private static void type(Draft draft, String name, int type) {
    var container = draft.containers.get(name);
    if (container != null
        && container.type == 0
        && !container.groups.isEmpty()
        && draft.ground.types().contains(type)) {
      container.type = type;
      if (Ground.isSpapr(type)) {
        container.windows.add(new Draft.Window(null, 12, draft.ground.windowSize()));
      }
    }
  }

  private static void openContainer(Draft draft) {
    var closed = CONTAINERS.stream().filter(name -> !draft.containers.containsKey(name)).toList();
    var name = draft.oneOf(closed);
    draft.containers.put(name, new Draft.Container());
    if (draft.chance(5)) {
      draft.steps.openReadOnly(name, "/dev/vfio/vfio");
    } else {
      draft.steps.container(name);
    }
  }

  private static void openGroup(Draft draft) {
    int ordinal = draft.below(GROUPS.size());
    var name = GROUPS.get(ordinal);
    if (draft.groups.containsKey(name)) {
      draft.steps.group(name + "again", ordinal);
    } else if (draft.chance(3)) {
      draft.steps.open("g", "/dev/vfio/999");
    } else {
      draft.steps.group(name, ordinal);
      if (!draft.isBound(ordinal)) {
        draft.groups.put(name, new Draft.Group());
      }
    }
  }

  private static String group(Draft draft) {
    return draft.chance(3)
        ? draft.oneOf(List.of(Draft.NOWHERE, "g0again", "g1again"))
        : draft.oneOf(draft.groups.keySet().stream().toList());
  }

  private static void setContainer(Draft draft) {
    var detached =
        draft.groups.entrySet().stream()
            .filter(entry -> entry.getValue().container == null)
            .map(Map.Entry::getKey)
            .toList();
    var group = draft.chance(85) ? draft.oneOf(detached, group(draft)) : group(draft);
    if (draft.chance(90)) {
      attach(draft, group, draft.container());
    } else if (draft.chance(50)) {
      draft.steps.setContainer(group, draft.oneOf(List.of("g0", "g1", "d0", "d1")));
    } else {
      draft.steps.setContainerNumber(group, draft.oneOf(List.of(-1, -2, 100_000)));
    }
  }

  private static void setIommu(Draft draft) {
    var untyped = draft.containers(container -> container.type == 0 && !container.groups.isEmpty());
    var container = draft.oneOf(untyped, draft.container());
    int type =
        draft.chance(85)
            ? draft.oneOf(draft.ground.types())
            : draft.oneOf(List.of(-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 100));
    draft.steps.setIommu(container, type);
    type(draft, container, type);
  }

  private static void unsetContainer(Draft draft) {
    var group = group(draft);
    draft.steps.unsetContainer(group);
    if (!draft.devices.containsValue(group)) {
      draft.leave(group);
    }
  }

  /** A group that a device still uses stays in its container. */
  private static void closeGroup(Draft draft) {
    var group = group(draft);
    draft.steps.close(group);
    if (!draft.devices.containsValue(group)) {
      draft.leave(group);
    }
    draft.groups.remove(group);
  }
}
