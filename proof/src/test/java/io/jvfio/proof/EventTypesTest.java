// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof;

import static java.util.Objects.requireNonNull;
import static java.util.stream.Collectors.toCollection;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.VfioHost;
import io.jvfio.nvme.NvmeController;
import io.jvfio.sim.SimulatedHosts;
import java.io.IOException;
import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The events as a whole: their settings, their page, and a Java runtime that has none. */
class EventTypesTest {
  private static final List<Class<?>> TYPES =
      House.built().types().stream()
          .filter(type -> type.parent().equals(Event.class.getName()))
          .<Class<?>>map(
              type ->
                  Class.forName(
                      ModuleLayer.boot().findModule(type.module()).orElseThrow(), type.name()))
          .toList();

  @TempDir Path directory;

  private static String name(AnnotatedElement type) {
    return type.getAnnotation(Name.class).value();
  }

  private static Set<String> names() {
    return TYPES.stream().map(EventTypesTest::name).collect(toCollection(TreeSet::new));
  }

  @Test
  void eachHasANameOfOursAndIsDescribed() {
    assertThat(TYPES).hasSizeGreaterThanOrEqualTo(12);
    for (var type : TYPES) {
      assertThat(name(type)).startsWith("jvfio.");
      assertThat(type.getAnnotation(Label.class)).as(name(type)).isNotNull();
      assertThat(type.getAnnotation(Description.class)).as(name(type)).isNotNull();
      assertThat(type.getAnnotation(Category.class).value()).as(name(type)).startsWith("jvfio");
      fields(type).forEach(field -> assertThat(field.getAnnotation(Label.class)).isNotNull());
    }
  }

  private static List<Field> fields(Class<?> type) {
    return Arrays.stream(type.getDeclaredFields())
        .filter(field -> (field.getModifiers() & (Modifier.STATIC | Modifier.TRANSIENT)) == 0)
        .filter(
            field ->
                !field.isSynthetic() && !List.of("startTime", "duration").contains(field.getName()))
        .toList();
  }

  @Test
  void theSettingsTurnEachOfThemOn() {
    var settings = Flight.settings().getSettings();
    Set<String> named =
        settings.keySet().stream()
            .map(key -> key.substring(0, key.indexOf('#')))
            .collect(toCollection(TreeSet::new));
    assertThat(named).isEqualTo(names());
    names().forEach(name -> assertThat(settings).containsEntry(name + "#enabled", "true"));
  }

  @Test
  void thePageTellsOfEachEventAndField() throws IOException {
    var page = Files.readString(DocsTest.ROOT.resolve("docs/observability.md"));
    for (var type : TYPES) {
      assertThat(page).contains("`" + name(type) + "`");
      var section = page.substring(page.indexOf("`" + name(type) + "`"));
      section = section.substring(0, section.indexOf('\n'));
      for (var field : fields(type)) {
        assertThat(section).as(name(type)).contains("`" + field.getName() + "`");
      }
    }
  }

  /** Opens a device where there is no {@code jdk.jfr}. */
  static final class Opens {
    private Opens() {}

    public static void main(String[] arguments) {
      try (var simulated = SimulatedHosts.open("x86-6.12")) {
        var host = VfioHost.of("sim", simulated.kernel());
        var one = host.devices().stream().filter(each -> each.isBoundToVfio()).findFirst();
        try (var device = host.open(one.orElseThrow().address());
            var controller = NvmeController.open(device)) {
          controller.namespace(1).flush();
          System.out.print(ModuleLayer.boot().findModule("jdk.jfr").isPresent());
        }
      }
    }
  }

  @Test
  @Timeout(120)
  void aJavaRuntimeWithoutTheModuleDoesWithoutEvents() throws Exception {
    var own = Opens.class.getName().replace('.', '/') + ".class";
    var resource = Path.of(requireNonNull(Opens.class.getResource("/" + own)).toURI());
    var tests = resource.toString().substring(0, resource.toString().length() - own.length());
    var output = directory.resolve("output");
    var process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "--limit-modules=io.jvfio.sim,io.jvfio.nvme",
                "--add-modules=io.jvfio.sim,io.jvfio.nvme",
                "--enable-native-access=io.jvfio.linux",
                "--module-path",
                System.getProperty("jdk.module.path"),
                "-cp",
                tests,
                Opens.class.getName())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    assertThat(process.waitFor(100, TimeUnit.SECONDS)).isTrue();
    assertThat(Files.readString(output)).isEqualTo("false");
    assertThat(process.exitValue()).isZero();
  }
}
