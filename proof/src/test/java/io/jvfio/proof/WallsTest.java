// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof;

import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.mapping;
import static java.util.stream.Collectors.toCollection;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.module.ModuleDescriptor.Requires;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/**
 * The walls of the house, as {@code docs/design.md} tells them, read from the class files.
 *
 * <p>A <i>front</i> is what a module exports, to all or to some; a <i>room</i> is a package that it
 * does not export. The front opens the rooms, and the rooms use the values of the front: so a front
 * and a room may import each other, but no class of the one may be in a circle with one of the
 * other.
 */
class WallsTest {
  private static final int MOST_FILES = 80;

  private final House house = House.built();

  @Test
  void theHouseIsThere() {
    assertThat(house.modules())
        .contains("io.jvfio.linux", "io.jvfio", "io.jvfio.model", "io.jvfio.sim", "io.jvfio.nvme")
        .contains("io.jvfio.user", "io.jvfio.user.tools", "io.jvfio.cli", "io.jvfio.lab");
    assertThat(house.types()).hasSizeGreaterThan(500);
  }

  /**
   * The virtual machine refuses modules that require each other; so all that has to be seen is
   * this.
   */
  @Test
  void whatIsBelowNeedsNothingButTheJdk() {
    for (var module : List.of("io.jvfio.linux", "io.jvfio")) {
      assertThat(house.descriptor(module).requires())
          .as(module)
          .filteredOn(each -> !each.modifiers().contains(Requires.Modifier.STATIC))
          .extracting(Requires::name)
          .allMatch(name -> name.matches("java\\..*|jdk\\..*|io\\.jvfio\\.linux"));
      for (var type : house.typesOf(module)) {
        assertThat(type.uses())
            .as(type.name())
            .allMatch(name -> name.matches("java\\..*|jdk\\..*|javax\\..*|io\\.jvfio\\..*"));
      }
    }
  }

  @Test
  void noModuleUsesOneThatItDoesNotRequire() {
    var upwards = new TreeSet<String>();
    for (var type : house.types()) {
      for (var used : house.usedBy(type)) {
        if (!used.module().equals(type.module()) && !house.reads(type.module(), used.module())) {
          upwards.add(type.name() + " uses " + used.name());
        }
      }
    }
    assertThat(upwards).isEmpty();
  }

  @Test
  void roomsOfAModuleMakeNoCircle() {
    var graph = new Graph();
    for (var type : house.types()) {
      for (var used : house.usedBy(type)) {
        if (house.isRoom(type) && house.isRoom(used) && used.module().equals(type.module())) {
          graph.edge(type.packageName(), used.packageName());
        }
      }
    }
    assertThat(graph.circles()).isEmpty();
  }

  @Test
  void noCircleOfClassesGoesThroughTheWallOfARoom() {
    var graph = new Graph();
    for (var type : house.types()) {
      for (var used : house.usedBy(type)) {
        graph.edge(type.name(), used.name());
      }
    }
    var crossing =
        graph.circles().stream()
            .filter(
                circle ->
                    circle.stream().map(house::type).anyMatch(house::isRoom)
                        && circle.stream()
                                .map(house::type)
                                .map(House.Type::packageName)
                                .distinct()
                                .count()
                            > 1)
            .toList();
    assertThat(crossing).isEmpty();
  }

  @Test
  void noPackageIsTooLargeToBeLookedThrough() {
    var files =
        house.types().stream()
            .collect(
                groupingBy(
                    House.Type::packageName,
                    TreeMap::new,
                    mapping(House.Type::sourceFile, toCollection(TreeSet::new))));
    for (var each : files.entrySet()) {
      assertThat(each.getValue()).as(each.getKey()).hasSizeLessThanOrEqualTo(MOST_FILES);
    }
  }

  /**
   * What nobody can come to is not API: a public type is used by another module, an example or the
   * command, or stands in the signature of one that is.
   */
  @Test
  void everyPublicTypeCanBeComeTo() {
    var reached = new TreeSet<String>();
    var toLookAt = new ArrayDeque<House.Type>();
    for (var type : house.types()) {
      for (var used : house.usedBy(type)) {
        if (!used.module().equals(type.module()) && reached.add(used.name())) {
          toLookAt.add(used);
        }
      }
    }
    while (!toLookAt.isEmpty()) {
      for (var shown : house.shownBy(toLookAt.remove())) {
        if (reached.add(shown.name())) {
          toLookAt.add(shown);
        }
      }
    }
    Set<String> hidden =
        house.types().stream()
            .filter(house::isApi)
            .map(House.Type::name)
            .filter(name -> !reached.contains(name))
            .collect(toCollection(TreeSet::new));
    assertThat(hidden).isEmpty();
  }
}
